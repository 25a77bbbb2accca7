"""Other tools' models and files."""
