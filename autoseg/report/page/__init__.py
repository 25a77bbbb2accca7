"""The page: what it says, its charts and tables, and its HTML."""
