"""Layouts of data sets beside imagesTr: BIDS, and patterns of paths."""
