"""How values look in a notebook."""
