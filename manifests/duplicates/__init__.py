"""Recordings and utterances that a corpus has more than once."""
