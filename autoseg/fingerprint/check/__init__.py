"""Every problem of a data set at once; read stage.py first."""
