"""Post-training: the model's own answers, judged, and learned from."""
