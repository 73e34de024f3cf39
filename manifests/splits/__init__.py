"""Train, dev and test: which recordings belong together, and which split each of them is in."""
