"""Waveforms: sample rate, levels, FLAC, files."""
