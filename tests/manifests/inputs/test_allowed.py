"""What rows of manifests may name."""

import json

import fsspec
import pytest

from curation.core.errors import ConfigError
from curation.manifests.inputs.allowed import Allowed
from curation.manifests.inputs.listing import Listing
from curation.pipeline.config import label_settings, load_config

LOCAL = ["/data/in", "/data/in/m.jsonl"]


def allows(path, inputs=LOCAL, allow=None, folder="/data/in"):
    try:
        Allowed(inputs, allow).check(path, folder, "m.jsonl, row 7")
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://host/x.wav",
        "s3://bucket/x.wav",
        "simplecache::https://host/x.wav",
        "zip://x.wav::https://host/x.zip",
        "zip://x.wav::simplecache::s3://bucket/x.zip",
        "HTTP://host/x.wav",
    ],
)
def test_by_default_no_url_of_a_host_that_the_inputs_do_not_name(url):
    assert not allows(url)
    assert allows(url, [*LOCAL, "http://169.254.169.254/", "http://host/", "https://host/m.jsonl", "s3://bucket/in"])


def test_a_host_is_named_with_its_protocol_and_port():
    assert not allows("http://host/x.wav", ["https://host/m.jsonl"])
    assert not allows("https://host:8080/x.wav", ["https://host/m.jsonl"])
    assert not allows("https://host@evil/x.wav", ["https://host/m.jsonl"])
    assert not allows("https://host.evil/x.wav", ["https://host/m.jsonl"])
    assert not allows("https://evil?@host/x.wav", ["https://host/m.jsonl"])
    assert not allows("https://evil#@host/x.wav", ["https://host/m.jsonl"])
    assert allows("https://me@host/x.wav", ["https://HOST/m.jsonl"])


@pytest.mark.parametrize("path", ["zip://a.wav", "parquet://audio/0/0", "zip::simplecache", "zip://a.wav::hdfs"])
def test_an_archive_is_in_a_file_that_is_named(path):
    assert not allows(path)
    assert allows("zip://a.wav::/data/all.zip")


@pytest.mark.parametrize("path", ["/data/x.wav", "/etc/x.wav", "file:///x.wav", "memory://b/x.wav"])
def test_by_default_all_of_this_machine(path):
    assert allows(path)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/data/in/x.wav", True),  # the manifest's own folder
        ("/data/in/../x.wav", False),
        ("/data/inner/x.wav", False),
        ("file:///data/in/x.wav", True),
        ("/more/x.wav", True),
        ("/more/../x.wav", False),
        ("https://host/a/x.wav", True),
        ("https://host/ab/x.wav", False),
        ("https://host/a/../b/x.wav", False),
        ("https://host/a/%2e%2e/b/x.wav", False),
        ("https://host/b?/../a/x.wav", False),
        ("https://host/b#/../a/x.wav", False),
        ("https://host/a/x%3F/../../b/x.wav", False),
        ("https://host/a/x.wav?key=/../..", True),
        ("zip://x.wav::https://host/a/x.zip", True),
        ("simplecache::https://host/a/x.wav", True),
        ("zip://x.wav::https://host/x.zip", False),
        ("s3://bucket/x.wav", True),
        ("s3://bucket2/x.wav", False),
    ],
)
def test_what_is_listed_and_nothing_else(path, allowed):
    allow = ["/more/", "https://host/a", "s3://bucket"]
    assert allows(path, [*LOCAL, "s3://bucket2/named"], allow) == allowed


def test_nothing_may_be_named(tmp_path, monkeypatch):
    assert not allows("/more/x.wav", allow=[])
    assert allows("/data/in/x.wav", allow=[])
    monkeypatch.chdir(tmp_path)
    assert allows(f"{tmp_path}/here/x.wav", allow=["here"])


def test_a_listing_refuses_the_row_and_says_what_to_set(tmp_path):
    rows = [{"path": "a.wav"}, {"path": "https://host/x.wav"}]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(ConfigError, match=r"m\.jsonl, row 2: .*--set 'inputs\.allow=\[https://host/\]'"):
        Listing([str(tmp_path / "m.jsonl")]).distinct()
    assert len(Listing([str(tmp_path / "m.jsonl")], allow=["https://host/"]).distinct()) == 2


def test_a_manifest_in_a_bucket_may_name_the_bucket(tmp_path):
    fs = fsspec.filesystem("memory")
    fs.pipe_file(f"/{tmp_path.name}/m.jsonl", json.dumps({"path": "../x.wav"}).encode())
    (item,) = Listing([f"memory://{tmp_path.name}/m.jsonl"]).distinct()
    assert item.source.path == "memory:///x.wav"


def test_the_setting_changes_no_label():
    config = load_config(overrides=["inputs.allow=[s3://bucket/]"])
    assert config.inputs.allow == ["s3://bucket/"]
    assert label_settings(config) == label_settings(load_config())
