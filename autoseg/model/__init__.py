"""A trained model on disk: what it is, how it is found, read and written."""
