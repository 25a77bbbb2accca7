"""What networks are put together from: rows, blocks, contexts, decoders on encoders."""
