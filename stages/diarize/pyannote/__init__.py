"""pyannote.audio: the built-in diarizer, and complete pipelines from folders."""
