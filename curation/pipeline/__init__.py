"""A build: configuration, the label pass, the publish pass, and the run that holds them together."""
