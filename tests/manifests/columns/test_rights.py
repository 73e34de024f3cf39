"""What manifests say of licence and consent is checked, carried, and published in columns of its own."""

import json
import re

import pyarrow as pa
import pytest

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.living.remove import Wanted, remove
from curation.manifests.columns.rights import COLUMNS, checked, published
from curation.manifests.index import read_index
from curation.manifests.inputs.rows import ManifestRow
from curation.pipeline.run import build
from tests.support.builds import rows, toy_build, toy_config, write_recordings
from tests.support.toy import toy_stages

SAID = {
    "licence": "CC-BY-4.0",
    "consent": "signed form 17",
    "source_url": "https://example.org/a?b=c",
    "rights_holder": "Müller & Söhne",
}


def test_what_is_said_is_carried():
    row = ManifestRow({"path": "a.wav", "license": " CC-BY-4.0 ", "consent": None, "year": 1811}, "m, row 1")
    assert row.source("/a.wav", "a").extra == {"year": 1811, "licence": "CC-BY-4.0"}
    assert checked(SAID, "m") == SAID
    assert checked({"licence": "MIT", "license": "MIT"}, "m") == {"licence": "MIT"}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"licence": "a\nb"}, "m.jsonl, row 3: licence: 'a\\nb' is none: write the name of a licence"),
        ({"license": 4.0}, "row 3: license: '4.0' is none: write the name"),
        ({"licence": "x" * 501}, "is none: write the name"),
        ({"licence": ["MIT"]}, "is none: write the name"),
        ({"licence": "MIT", "license": "GPL"}, "license: it says 'GPL', and licence says 'MIT': remove one"),
        ({"consent": "Withdrawn"}, "consent is 'Withdrawn': a recording without consent is not built: remove the row"),
        ({"consent": False}, "a recording without consent is not built"),
        ({"consent": 0}, "a recording without consent is not built"),
        ({"source_url": "example.org/a"}, "source_url: 'example.org/a' is none: write the address"),
        ({"source_url": "https://me:secret@example.org/a"}, "without a password"),
        ({"source_url": "https://[x"}, "write the address"),
        ({"source_url": "javascript:alert(1)"}, "write the address"),
        ({"rights_holder": "a\u2028b"}, "write a name"),
    ],
)
def test_what_is_none_is_named(said, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        ManifestRow({"path": "a.wav", **said}, "m.jsonl, row 3").source("/a.wav", "a")


def test_columns_are_taken_out_of_the_further_ones():
    whole = json.dumps({**SAID, "year": 1811}, sort_keys=True, ensure_ascii=False)
    found = {name: values.to_pylist() for name, values in published(pa.array([whole, "{}", None, whole])).items()}
    assert found == {
        **{name: [SAID[name], None, None, SAID[name]] for name in COLUMNS},
        "extra": ['{"year": 1811}', "{}", None, '{"year": 1811}'],
    }


def test_a_build_publishes_them_and_may_require_a_licence(tmp_path):
    folder = write_recordings(tmp_path / "in", ["alpha", "beta"])
    lines = [{"path": "alpha.wav", **SAID, "year": 1811}, {"path": "beta.wav"}]
    (folder / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = toy_config()
    strict = config.model_copy(update={"inputs": config.inputs.model_copy(update={"require_licence": True})})
    with pytest.raises(ConfigError, match=r"1 recording without a licence, e.g. .*m.jsonl, row 2: name it"):
        toy_build(folder / "m.jsonl", tmp_path / "out", strict)
    toy_build(folder / "m.jsonl", tmp_path / "out", config)
    for table in ("shards", "segments"):
        for row in rows(tmp_path / "out", table):
            is_alpha = row["recording_id"].startswith("alpha")
            assert {name: row[name] for name in COLUMNS} == (SAID if is_alpha else dict.fromkeys(COLUMNS))
    kept = rows(tmp_path / "out", "shards")
    assert {row["extra"] for row in kept} == {'{"year": 1811}', "{}"}
    (entry,) = read_index(Storage(str(tmp_path / "out"))).shards
    alpha = sum(row["licence"] is not None for row in kept)
    assert entry.licences == {"": len(kept) - alpha, "CC-BY-4.0": alpha}
    card = (tmp_path / "out/README.md").read_text()
    assert f"| CC-BY-4.0 | {alpha} |" in card
    assert f"| unknown | {len(kept) - alpha} |" in card
    with pytest.raises(ConfigError, match=r"1 recording without a licence, e.g. .*beta.wav"):
        build(strict, [], str(tmp_path / "out"), make_stages=toy_stages)
    receipt = remove(str(tmp_path / "out"), Wanted(recordings=[str(folder / "alpha.wav")]), "licence")
    assert receipt.licences == {"CC-BY-4.0": alpha}
