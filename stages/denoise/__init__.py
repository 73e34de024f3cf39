"""Denoise: lower the noise of what is published, where the recording is noisy."""
