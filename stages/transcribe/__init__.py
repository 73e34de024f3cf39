"""Transcribe: several ASR systems write down each utterance."""
