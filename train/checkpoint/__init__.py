"""Checkpoints: resumable training state, and model folders."""
