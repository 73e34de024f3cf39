"""Corpora of other software as inputs: each format gives rows as a manifest has them. Nothing of a corpus is run."""
