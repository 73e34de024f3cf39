"""What killed writers leave is known by its name."""

from curation.core.stores.temporary import sweep, temporary_name


def test_what_a_killed_writer_left_is_swept_and_nothing_else(tmp_path):
    (tmp_path / "staging").mkdir()
    kept = [tmp_path / "staging/x.parquet", tmp_path / ".hidden", tmp_path / "staging/.x.parquet", tmp_path / "a.12.34"]
    left = tmp_path / "staging" / temporary_name("x.parquet")
    for path in (*kept, left):
        path.write_bytes(b"x")
    sweep(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
