"""Fitting to the speech of a build: consensus weights, calibrated confidence, compact tokenizers."""
