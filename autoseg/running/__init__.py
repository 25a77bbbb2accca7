"""From a data set to a model, a page and predictions, in one command."""
