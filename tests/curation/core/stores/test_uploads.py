"""Uploads that a killed process has begun are aborted: those of Parquet files below the folder, and no others."""

import fsspec
import pytest

from curation.core.storage import Storage
from curation.core.stores.uploads import abort_uploads

NAMES = {
    "out/shards/part-00000.parquet": True,
    "out/speech/a.parquet": True,
    "out/in/recording.wav": False,
    "out-of-another/shards/part-00000.parquet": False,
}
"""Keys, and whether their uploads are those of the build in `out`."""


@pytest.fixture
def begun(s3_bucket):
    """Uploads of all of these."""
    fs, bucket = fsspec.filesystem("s3", use_listings_cache=False), s3_bucket.removeprefix("s3://")
    for key in NAMES:
        fs.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    return s3_bucket, lambda: sorted(item["Key"] for item in fs.list_multipart_uploads(bucket))


def test_only_those_of_the_build_are_aborted(begun):
    bucket, keys = begun
    Storage(f"{bucket}/out").abort_uploads()
    assert keys() == sorted(key for key, ours in NAMES.items() if not ours)


def test_all_in_a_bucket_that_is_the_output(begun):
    bucket, keys = begun
    Storage(bucket).abort_uploads()
    assert keys() == ["out/in/recording.wav"]


@pytest.mark.parametrize("status", [501, 403])
def test_a_store_that_does_not_list_them_is_let_be(s3, begun, status):
    bucket, keys = begun
    s3.fault = lambda request: status if "uploads" in request.query else None
    Storage(f"{bucket}/out").abort_uploads()
    s3.fault = lambda _: None
    assert len(keys()) == len(NAMES)


def test_other_stores_have_none():
    assert abort_uploads(fsspec.filesystem("memory"), "/out") == 0
