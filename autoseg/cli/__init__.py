"""Plug-in folder: every file without a leading underscore is one command."""
