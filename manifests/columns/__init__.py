"""Columns of Arrow tables, taken apart and put together at once."""
