"""Images cut into windows, and windows put together again."""
