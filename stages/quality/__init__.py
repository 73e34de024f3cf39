"""Quality: how good each utterance was recorded."""
