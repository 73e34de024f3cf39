"""The kinds of speech tokenizers, one file each: what they need and how they are opened."""
