"""Names of files that are not UTF-8."""

import os

from hypothesis import given
from hypothesis import strategies as st

from curation.core.names import existing, printable, shown


@given(st.binary(min_size=1, max_size=30).filter(lambda name: not set(name) & {0, 47}))
def test_whatever_a_file_is_called_it_can_be_shown(name):
    text = printable(os.fsdecode(name))
    assert text.encode().decode() == text


def test_the_file_is_found_by_what_is_shown(tmp_path):
    real = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    assert existing(printable(real)) == printable(real)  # there is no such file
    with open(real, "wb"):  # noqa: PTH123
        pass
    assert existing(printable(real)) == real
    (tmp_path / "caf\\xe9.wav").touch()
    assert existing(printable(real)) == printable(real)  # there is one of this very name
    assert existing("caf.wav") == "caf.wav"


def test_values_in_messages_are_short():
    assert (shown("a\nb"), shown(7)) == ("'a\\nb'", "7")
    assert shown("x" * 5000, 10) == "'xxxxxx..."
