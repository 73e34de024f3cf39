"""Turn raw speech recordings into training shards, and account for every second of them."""

__version__ = "0.1.0"
