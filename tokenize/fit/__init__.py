"""Fitting the compact tokenizers."""
