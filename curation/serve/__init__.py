"""Serves a checkpoint over HTTP: OpenAI's audio endpoints, voice conversion, voices, health and figures."""
