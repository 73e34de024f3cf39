"""What a file system says of a write becomes a sentence with the file and the remedy."""

import errno

import pytest

from curation.core.errors import StorageError
from curation.core.stores.naming import NamedFile, writing


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), r"a/b cannot be written \(No space .*\): free some space"),
        (PermissionError("Access Denied"), r"a/b cannot be written \(Access Denied\): see to it, and run it again"),
    ],
)
def test_an_error_names_the_file(error, sentence):
    with pytest.raises(StorageError, match=sentence), writing("a/b"):
        raise error


def test_a_sentence_stays_as_it_is():
    with pytest.raises(StorageError, match=r"^mine$"), writing("a/b"):
        raise StorageError(*["mine"])


def test_writes_to_a_file_that_cannot_take_them(tmp_path):
    with (tmp_path / "x").open("wb") as file:
        assert NamedFile(file, "x").write(b"abc") == 3
    with (tmp_path / "x").open("rb") as file, pytest.raises(StorageError, match="x cannot be written"):
        NamedFile(file, "x").write(b"abc")
