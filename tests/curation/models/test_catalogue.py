"""What is known of models: of those that packages carry, of those elsewhere, and of those that adapters bring."""

import pytest

from curation.core.declarations import Weights
from curation.models.catalogue import catalogue, facts_of, known_elsewhere
from curation.models.store import resolve

GIB = 2**30


def test_every_entry_says_what_it_is_and_under_which_licence():
    for entry in [*catalogue().values(), *known_elsewhere().values()]:
        assert entry.about
        assert entry.licence
    assert set(catalogue()).isdisjoint(known_elsewhere())


def test_a_revision_or_a_pin_does_not_hide_what_is_known():
    plain = facts_of("hf:facebook/seamless-m4t-v2-large")
    assert (plain.licence, plain.gib, plain.note) == ("CC-BY-NC-4.0", 4.3, "not for commercial use")
    assert facts_of("hf:facebook/seamless-m4t-v2-large@main") == plain
    assert facts_of("hf:facebook/seamless-m4t-v2-large@main#sha256=00") == plain
    assert facts_of("hf:facebook/another") is None


def test_what_an_adapter_declares_comes_first():
    own = Weights("whisper-base", "its own", "MIT", gib=9.0)
    assert facts_of("whisper-base").gib < 1
    assert facts_of("whisper-base", [own]) is own


@pytest.mark.parametrize("name", catalogue())
def test_sizes_are_those_of_the_files(name):
    path = resolve(name)
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    assert catalogue()[name].gib == pytest.approx(sum(item.stat().st_size for item in files) / GIB, rel=0.1, abs=0.0005)
