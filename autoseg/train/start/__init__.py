"""With which weights a training starts: those of another model, as far as they fit."""
