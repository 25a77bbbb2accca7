"""The bytes and operations of a training step, by arithmetic."""
