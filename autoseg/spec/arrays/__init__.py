"""Arrays that are not in memory."""
