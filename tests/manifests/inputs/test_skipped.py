"""What was left out of the inputs of a build is kept for its summary."""

from curation.core.storage import Storage
from curation.manifests.inputs.skipped import (
    EXAMPLES,
    FILE,
    Skipped,
    forget_skipped,
    read_skipped,
    record_skipped,
    skip,
)


def counted(**reasons):
    found = {}
    for reason, paths in reasons.items():
        for path in paths:
            skip(found, reason, path)
    return found


def test_examples_are_few_and_the_count_is_whole():
    found = counted(hidden=[f"{number}.wav" for number in range(10)])
    assert found == {"hidden": Skipped(10, [f"{number}.wav" for number in range(EXAMPLES)])}
    assert counted(hidden=["caf\udce9.wav"])["hidden"].examples == ["caf\\xe9.wav"]


def test_an_input_that_is_listed_again_is_counted_once(tmp_path):
    out = Storage(str(tmp_path))
    assert read_skipped(out) == {}
    record_skipped(out, {"in/": {}})
    assert not out.exists(FILE)
    record_skipped(out, {"in/": counted(hidden=["a", "b"], broken=["c"])})
    record_skipped(out, {"more/": counted(hidden=["d"])})
    record_skipped(out, {"in/": counted(hidden=["a"])})
    assert read_skipped(out) == {"hidden": Skipped(2, ["a", "d"])}
    record_skipped(out, {})  # a run without inputs
    record_skipped(out, {"in/": {}})
    assert read_skipped(out) == {"hidden": Skipped(1, ["d"])}


def test_paths_that_are_forgotten_are_neither_inputs_nor_examples(tmp_path):
    out = Storage(str(tmp_path))
    forget_skipped(out, ["a"])
    assert not out.exists(FILE)
    record_skipped(out, {"in/": counted(hidden=["a", "b"]), "more/a.wav": counted(broken=["more/a.wav"])})
    before = out.read_bytes(FILE)
    forget_skipped(out, ["x"])
    assert out.read_bytes(FILE) == before
    forget_skipped(out, ["a", "more/a.wav"])
    assert read_skipped(out) == {"hidden": Skipped(2, ["b"])}
    assert b"more/a.wav" not in out.read_bytes(FILE)
