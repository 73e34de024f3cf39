"""Montreal Forced Aligner's models, aligned without Montreal Forced Aligner: its files, features, graph and search."""
