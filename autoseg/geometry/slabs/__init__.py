"""What hangs together in volumes that are looked at slab by slab."""
