"""Processing steps, one file each. They know nothing of Ray: see `stages/base.py` for the contract."""
