"""A published corpus over time: whether it is whole, and what is taken out of it."""
