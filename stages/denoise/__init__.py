"""Denoise: remove noise from a recording where that improves it."""
