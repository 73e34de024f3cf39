"""What answers the requests of a model, in this process or elsewhere."""
