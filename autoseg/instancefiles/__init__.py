"""Files about the instances of one prediction, for people and for other programs."""
