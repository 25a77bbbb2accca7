"""How points are read out: peaks of windows, a closer and a second look, files."""
