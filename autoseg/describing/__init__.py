"""From a folder of images and annotations to its dataset.json."""
