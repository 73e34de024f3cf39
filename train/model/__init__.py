"""The model: Qwen3 with packed attention, its loss, its code embeddings."""
