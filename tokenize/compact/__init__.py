"""The compact tokenizers, which the package ships."""
