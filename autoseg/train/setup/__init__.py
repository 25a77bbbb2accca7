"""What a training is, before it begins."""
