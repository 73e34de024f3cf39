"""pyannote.audio: the built-in diarizer, complete pipelines from folders, and the speaker encoder."""
