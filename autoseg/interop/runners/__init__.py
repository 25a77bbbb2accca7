"""A trained model as a folder that predicts without torch and without autoseg."""
