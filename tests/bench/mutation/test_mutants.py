"""The mutants themselves: each is one change that compiles; samples are drawn evenly and again the same."""

import ast

from tests.bench.mutation.mutants import mutants_of
from tests.bench.mutation.run import ROOT, Result, counted, drawn, nearest_tests

SOURCE = '''"""Doc."""
LIMIT = 3

def keep(values: list[int | None], *, scale: float = 2.0) -> list[float]:
    """Doc."""
    kept = []
    for value in values:  # a comment
        if value is None or value < LIMIT:
            continue
        kept.append(round(scale * value, 1))
    log.info("kept %d", len(kept))
    return sorted(kept, reverse=True) if kept else []
'''


def changes(kind):
    return {(mutant.was, mutant.now) for mutant in mutants_of("m.py", SOURCE) if mutant.kind == kind}


def test_kinds_of_changes():
    assert changes("comparison") == {("value is None", "(value is not None)"), ("value < LIMIT", "(value <= LIMIT)")}
    assert changes("arithmetic") == {("scale * value", "(scale / value)")}
    assert changes("boolean") == {("value is None or value < LIMIT", "(value is None and value < LIMIT)")}
    assert changes("constant") == {("1", "(2)"), ("True", "(False)")}
    assert changes("arguments") == {("round(scale * value, 1)", "(round(1, scale * value))")}
    assert changes("keyword") == {("sorted(kept, reverse=True)", "(sorted(kept))")}
    assert ("continue", "pass") in changes("statement")
    assert {now for _, now in changes("result")} == {"return None"}
    assert {now.split(":")[0] for _, now in changes("branch")} >= {"if True", "if False", "([])"}


def test_each_mutant_is_the_module_with_one_change():
    original = SOURCE.splitlines()
    for mutant in mutants_of("m.py", SOURCE):
        ast.parse(mutant.source)
        assert mutant.inside == "keep"
        assert mutant.source.splitlines()[: mutant.line - 1] == original[: mutant.line - 1]
        assert 'log.info("kept %d", len(kept))' in mutant.source


def test_a_sample_is_drawn_evenly_and_again_the_same():
    mutants = mutants_of("m.py", SOURCE)
    sample = drawn(mutants, 9, "0 m.py")
    assert sample == drawn(mutants, 9, "0 m.py") != drawn(mutants, 9, "1 m.py")
    assert len({mutant.kind for mutant in sample}) == len({mutant.kind for mutant in mutants})
    assert len({str(mutant) for mutant in drawn(mutants, 999, "0 m.py")}) == len(mutants)


def test_mutants_that_nobody_can_notice_do_not_count():
    one, two, three, *_ = mutants_of("m.py", SOURCE)
    assert counted([Result(one, "failed", 1.0), Result(two, "passed", 1.0), Result(three, "passed", 1.0, "why")]) == (
        1,
        2,
    )


def test_the_nearest_tests_carry_the_modules_name():
    assert nearest_tests("manifests/shards.py") == ["tests/manifests/test_shards.py"]
    assert all((ROOT / name).exists() for name in nearest_tests("manifests/records.py"))
