"""The generated pages of the reference, one module for each kind. `docs/reference.py` gives them to mkdocs."""
