"""Arrays that are more than that: windows of files, and maps of what overlaps."""
