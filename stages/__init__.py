"""Processing steps, independent of Ray and of each other: see `stages/base.py` for the contract."""
