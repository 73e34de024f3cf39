"""Punctuate: forced alignment, and punctuation checked against the pauses found."""
