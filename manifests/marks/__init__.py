"""`marks/`: what people said of utterances, and what it changes."""
