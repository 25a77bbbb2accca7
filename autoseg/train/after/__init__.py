"""What follows the last iteration: validation, scores, tuning."""
