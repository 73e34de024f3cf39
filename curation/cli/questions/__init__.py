"""The commands that question a published corpus, and their answers."""
