"""A file is read on after an outage; a store that stays away ends the build, a bad file only itself."""

import errno

import pytest

from curation.core import faults, patient_file
from curation.core.errors import StorageError
from curation.core.patient_file import PatientFile, has_folder
from curation.stages.decode.media import open_binary
from tests.support.faults.outages import OutageFileSystem

CONTENT = bytes(range(256))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(faults, "DELAYS", (0.0, 0.0))
    monkeypatch.setattr(patient_file, "DELAYS", (0.0, 0.0))
    OutageFileSystem().pipe_file("outage:///in/a", CONTENT)
    yield
    OutageFileSystem.refuse(0)


@pytest.mark.parametrize("refusals", [0, 1, 2])
def test_reading_goes_on_at_the_same_place(refusals):
    with PatientFile("outage:///in/a", open_binary) as file:
        assert file.read(10) == CONTENT[:10]
        assert file.seek(100) == file.tell() == 100
        OutageFileSystem.refuse(refusals)
        assert file.read(5) == CONTENT[100:105]
        assert file.read() == CONTENT[105:]
    assert OutageFileSystem.refused == refusals


def test_it_has_the_name_of_its_file(tmp_path):
    (tmp_path / "a.ul").write_bytes(b"1")
    with PatientFile(str(tmp_path / "a.ul"), open_binary) as file:
        assert file.name == str(tmp_path / "a.ul")


def test_a_store_that_stays_away_ends_it():
    with PatientFile("outage:///in/a", open_binary) as file:
        OutageFileSystem.refuse(-1)
        with pytest.raises(StorageError, match="outage:///in/a cannot be read"):
            file.read(5)
        with pytest.raises(StorageError):
            PatientFile("outage:///in/a", open_binary)


def test_a_file_that_cannot_be_read_in_a_store_that_answers_is_at_fault():
    def unreadable(path):
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output error") as it:
        PatientFile("outage:///in/a", unreadable)
    assert not isinstance(it.value, StorageError)
    with pytest.raises(FileNotFoundError):
        PatientFile("outage:///in/absent", open_binary)


def test_folders_of_paths_and_urls(tmp_path):
    assert has_folder(str(tmp_path / "a.wav"))
    assert not has_folder(str(tmp_path / "absent/a.wav"))
    assert has_folder("outage:///in/a")
