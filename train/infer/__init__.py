"""Inference: transcribe, speak and convert with a trained model."""
