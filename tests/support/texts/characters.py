"""What texts of hypothesis are made of."""

from hypothesis import strategies as st

ANY = st.characters(exclude_categories=["Cs"])
"""All that UTF-8 has: what `st.text` takes by itself, too, but after looking at each, for seconds in every process."""
