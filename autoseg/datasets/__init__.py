"""The raw data set: its description, its files, its cases."""
