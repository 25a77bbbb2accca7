"""Annotations to come: which images to annotate next, and how they join a data set."""
