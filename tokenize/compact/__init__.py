"""The compact tokenizers that the package carries."""
