"""What is said of settings: the keys of ``--set``, their values, the recipe."""
