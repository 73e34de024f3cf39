"""Strings on a page carry no credentials, wherever they are in its values."""

from curation.audit.page.text import cleaned

URL, SIGNED = "https://user:SECRET@host/a.wav", "https://host/a.wav?sig=SECRET"


def test_everything_in_values_is_cleaned():
    values = {URL: [1, None, (SIGNED, {"a": f"403 for {SIGNED}"})]}
    clean = "https://host/a.wav"
    assert cleaned(values) == {clean: [1, None, [clean, {"a": f"403 for {clean}"}]]}
    assert cleaned([1, 2.5, None, True]) == [1, 2.5, None, True]
