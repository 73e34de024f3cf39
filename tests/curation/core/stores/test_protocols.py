"""Where a build may be written, and what is said of other places."""

import sys

import fsspec
import pytest

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.core.stores.protocols import PART_BYTES, check_output, file_system, in_parts, protocol_of


@pytest.mark.parametrize(
    "url", ["out", "/data/out", "file:///out", "s3://b/out", "s3a://b/out", "gs://b/out", "az://c/out", "memory://out"]
)
def test_places_where_files_appear_whole(url):
    check_output(url)


@pytest.mark.parametrize(
    "protocol",
    [
        *("hdfs", "arrow_hdfs", "webhdfs", "ftp", "sftp", "ssh", "smb", "http", "https", "webdav", "dbfs", "github"),
        *("simplecache::s3", "filecache::s3", "zip::s3", "HDFS"),
    ],
)
def test_the_others_are_refused_with_what_works(protocol):
    outer = protocol.partition("::")[0].lower()
    message = rf"{protocol}://host/out: .* over {outer}://.*folder.*s3://, gs:// or az://.*Inputs may be read"
    with pytest.raises(ConfigError, match=message):
        check_output(f"{protocol}://host/out")


def test_unknown_protocols():
    with pytest.raises(ConfigError, match="Protocol not known: nosuch"):
        check_output("nosuch://x")
    with pytest.raises(ConfigError, match="Protocol not known: nosuch"):
        file_system("nosuch://x")


def test_the_outer_protocol_of_a_chain():
    assert [protocol_of(url) for url in ("a/b", "s3://a", "zip://a::s3://b", "simplecache::s3://b/c")] == [
        *("file", "s3", "zip", "simplecache")
    ]


def test_without_its_package_a_store_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(ConfigError, match=r"s3://bucket/x: .*s3fs.*pip install 'curation\[s3\]'"):
        Storage("s3://bucket/x").exists("x")


def test_a_large_object_has_no_more_parts_than_s3_takes():
    fs = fsspec.filesystem("s3")
    assert in_parts(fs, 10)["chunksize"] == PART_BYTES
    assert 10**12 / in_parts(fs, 10**12)["chunksize"] <= 10_000
    assert in_parts(fsspec.filesystem("memory"), 10) == {}
