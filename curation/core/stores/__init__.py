"""The kinds of stores that fsspec opens: which may hold a build, and what their writes can promise."""
