"""The parts of speaker diarization: the pipeline, the speaker encoder, and turns of speech."""
