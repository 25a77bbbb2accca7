"""How instances are read out: held, decoded block by block, brought to the image."""
