"""How the work is divided among workers: parts of the label pass, and how many workers each has."""
