"""What strings of strangers may hold on a page: no credentials of URLs. How they are shown is up to the page itself."""

from typing import Any

from curation.core.stores.urls import without_credentials


def cleaned(values: Any) -> Any:
    """Plain values with each string, keys of dictionaries too, `without_credentials`."""
    if isinstance(values, str):
        return without_credentials(values)
    if isinstance(values, dict):
        return {cleaned(key): cleaned(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [cleaned(value) for value in values]
    return values
