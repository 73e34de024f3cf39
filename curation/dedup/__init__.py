"""Near duplicates of a published corpus: found by their codes, confirmed by voice and text, reported."""
