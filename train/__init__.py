"""Data loading, model, trainer, generation and evaluation."""
