"""NVIDIA NeMo: Canary and Parakeet."""
