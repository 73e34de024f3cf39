"""What a build says of itself to people, and to `datasets.load_dataset`."""
