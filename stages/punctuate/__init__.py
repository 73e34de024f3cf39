"""Punctuate: forced alignment, and punctuation checked against the pauses that it finds."""
