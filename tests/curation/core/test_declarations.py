"""What declarations mean for those who read them: resources by settings, names with a part that varies, models."""

import pytest

from curation.core.declarations import Declared, Package, Resources, Score, Use, declared
from curation.core.settings import Section, model_field


class Settings(Section):
    threads: int = 1
    device: str = "cpu"
    weights: str = model_field("hf:a/b", "weights")
    nothing: str = model_field("", "no weights")
    text: str = "hf:no/model"


class Something(Declared):
    section = Settings
    models = ("always", "hf:a/b")
    resources = Resources(cpus=2.0, gpus=0.5, memory_gib=3.0)


@pytest.mark.parametrize(
    ("settings", "cpus", "gpus"),
    [({}, 2.0, 0.0), ({"threads": 4}, 4.0, 0.0), ({"threads": 1, "device": "cuda"}, 2.0, 0.5)],
)
def test_threads_and_device_of_the_settings_count(settings, cpus, gpus):
    found = Use("x", Something, Settings(**settings)).resources
    assert (found.cpus, found.gpus, found.memory_gib) == (cpus, gpus, 3.0)


def test_models_are_those_of_the_class_and_of_marked_fields_once():
    assert Use("x", Something, Settings()).model_names == ["always", "hf:a/b"]
    assert Use("x", Something, Settings(weights="path:c")).model_names == ["always", "hf:a/b", "path:c"]
    assert Use("x", Something, None).model_names == ["always", "hf:a/b"]


@pytest.mark.parametrize(("name", "known"), [("pwer", True), ("pwer.a.b", True), ("pwers", False), ("PWER", False)])
def test_a_star_stands_for_a_part_that_varies(name, known):
    assert declared(name, [Score("pwer", "1", "all"), Score("pwer.*", "1", "of one")]) is known


def test_a_package_names_its_command():
    assert Package("nemo", "curation[nemo]").command == "pip install 'curation[nemo]'"
