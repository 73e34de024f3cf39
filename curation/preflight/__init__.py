"""Before a build: what it lacks and what it would take."""
