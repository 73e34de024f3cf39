"""Before a build: what is missing and what it would take."""
