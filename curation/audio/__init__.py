"""Waveforms: sample rate, levels, FLAC."""
