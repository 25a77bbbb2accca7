"""Made-up data with a known answer, one file for each task: for the demo and tests."""
