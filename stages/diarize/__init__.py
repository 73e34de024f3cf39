"""Diarize: who speaks when, cut into utterances of one speaker."""
