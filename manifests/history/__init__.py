"""The life of a published corpus: its generations, and what each of them replaced."""
