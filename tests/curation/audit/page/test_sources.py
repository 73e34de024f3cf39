"""Which recordings a page opens: those that a person named, whatever paths the corpus has."""

import pytest

from curation.audit.corpus import Corpus
from curation.audit.page.sources import MOST, openable, places
from curation.audit.page.write import PageOptions, write_page
from curation.core.storage import Storage
from tests.support.audit.browser import rows_of
from tests.support.audit.segments import write_segments


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("{in}/a.wav", True),
        ("file://{in}/a.wav", True),
        ("{in}/../secret.wav", False),
        ("{in}-other/a.wav", False),
        ("{in}/link.wav", False),
        ("{in}/folder/a.wav", False),
        ("/etc/passwd", False),
        ("https://data.example/set/a.wav", True),
        ("https://data.example/set/../other/a.wav", False),
        ("https://data.example/settings/a.wav", False),
        ("https://data.example@attacker.example/set/a.wav", False),
        ("zip://a.wav::https://data.example/set/all.zip", True),
        ("zip://a.wav::https://attacker.example/all.zip", False),
        ("zip://a.wav::{in}/all.zip", True),
        ("zip://a.wav", False),
        ("", False),
    ],
)
def test_only_what_is_below_is_opened(tmp_path, path, is_allowed):
    inside = tmp_path / "in"
    (inside / "folder").mkdir(parents=True)
    (inside / "folder").rmdir()
    (inside / "folder").symlink_to(tmp_path)
    (tmp_path / "secret.wav").touch()
    (inside / "link.wav").symlink_to(tmp_path / "secret.wav")
    allowed = [str(inside), "https://data.example/set"]
    assert openable(path.format(**{"in": inside}), allowed) is is_allowed
    assert not openable(path.format(**{"in": inside}), [])


def test_a_link_to_the_allowed_folder_is_no_obstacle(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "real")
    assert openable(f"{tmp_path}/data/a.wav", [f"{tmp_path}/data"])


def test_places_are_few_and_hold_all(tmp_path):
    paths = [f"/data/{n % 3}/{n}/a.wav" for n in range(40)]
    paths += ["s3://bucket/x/b.wav", "zip://a.wav::https://host/all.zip"]
    rows = [{"id": str(n), "recording_id": "r", "path": p, "start": 0.0, "status": "kept"} for n, p in enumerate(paths)]
    write_segments(tmp_path, rows)
    found = places(Corpus.open(str(tmp_path)))
    assert len(found) <= MOST
    assert {"s3://bucket/x", "https://host"} < set(found)
    assert all(openable(path, found) for path in paths)


def test_a_page_opens_no_recording_that_was_not_named(corpus, story, tmp_path):
    """The corpus names files of `in`; nobody has agreed to them."""
    done = write_page(Storage(str(corpus)), tmp_path / "audit", PageOptions(recordings=[str(story / "elsewhere")]))
    rows = rows_of(tmp_path / "audit")
    assert not any(row["source"] for row in rows)
    assert any(row["audio"] for row in rows)
    assert done.sources_missing > 0
    assert not list((tmp_path / "audit").rglob("*.src.*"))
