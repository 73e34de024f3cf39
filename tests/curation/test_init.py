"""The package itself: what it offers to programs, and that the documented examples of a build run."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

import curation
from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.manifests.summary import read_summary
from tests.support.builds import count, seconds_by_recording
from tests.support.dummies import speech

ROOT = Path(__file__).parents[2]
HEAVY = {"fsspec", "numpy", "pyarrow", "pydantic", "ray", "rich", "torch", "typer", "yaml"}
CHEAP = """
engine: {runtime: in-process}
denoise: null
punctuate: null
tokenize: null
transcribe:
  language_system: ''
  systems: [{name: moonshine-tiny, kind: moonshine, model: moonshine-tiny.en}]
"""


def code_of(text):
    """The first Python block of a docstring or a page: what follows on the page needs a stage of the reader's own."""
    return re.findall(r"^```python\n(.*?)^```", inspect.cleandoc(text), re.MULTILINE | re.DOTALL)[0]


EXAMPLES = {
    "docstring": code_of(curation.build.__doc__),
    "page": code_of((ROOT / "docs/how-to/build-from-python.md").read_text(encoding="utf-8")),
}


def test_every_name_is_there_and_no_other():
    for name in curation.__all__:
        assert getattr(curation, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'bild'"):
        curation.bild  # noqa: B018 - asking for it is the test


@pytest.mark.parametrize(
    ("does", "without"),
    [
        ("import curation", HEAVY),
        (  # what every process of a build begins with
            "from curation.pipeline.config import load_config; load_config()",
            {"ray", "scipy", "sklearn", "torch", "transformers"},
        ),
        pytest.param(
            "from curation.train.infer.speech_model import SpeechModel",
            {"pandas", "pyannote", "sympy", "torch.distributed.tensor", "transformers"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(does, without):
    code = f"{does}; import sys; print(sorted({without!r} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_documented_example_builds(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("corpus.yaml").write_text(CHEAP)
    Path("recordings").mkdir()
    soundfile.write("recordings/cities.wav", speech(6.0), SAMPLE_RATE)
    exec(compile(EXAMPLES[example], example, "exec"), {})  # noqa: S102 - our own example
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [
        step for step in ("label", "judge", "ledger", "shards") for _ in range(2)
    ]
    assert lines[0].startswith("label: 0 of 1")
    assert lines[1].startswith("label: 1 of 1")
    summary = read_summary(Storage("corpus"))
    assert lines[-1].startswith(f"{summary.kept_seconds:.0f} s of 6 s kept")
    assert count(tmp_path / "corpus", "kept") == summary.utterances
    assert list(seconds_by_recording(tmp_path / "corpus").values()) == pytest.approx([6.0])


@pytest.mark.parametrize(("given", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_idle_threads_of_torch_sleep_unless_the_user_says_otherwise(given, expected):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | given
    code = "import curation, os; print(os.environ['OMP_WAIT_POLICY'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
