"""Other tools' files, where the layers below do not need them."""
