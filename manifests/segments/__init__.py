"""`segments/`: every utterance of a build, whatever became of it, with texts and all scores."""
