"""Model weights: the catalogue, the store that resolves references, and safe loading of checkpoints."""
