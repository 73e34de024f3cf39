"""Voices across the recordings of a corpus: who of them is one person."""
