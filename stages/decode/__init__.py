"""Decode: any media file to mono 16 kHz float32, in bounded spans."""
