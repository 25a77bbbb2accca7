"""What the stages hand on: frozen dataclasses that are strict JSON on disk."""
