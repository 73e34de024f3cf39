"""The official tokenizers of the paper: GLM-4-Voice and BiCodec."""
