"""Models by name: those that come along, and those that were added."""
