"""Transcribe: each utterance by several ASR systems."""
