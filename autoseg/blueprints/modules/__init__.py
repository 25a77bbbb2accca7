"""What torch makes of drawings: modules with the drawn names, and how they run."""
