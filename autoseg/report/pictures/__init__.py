"""Pictures of single cases, which know nothing of data sets and tasks."""
