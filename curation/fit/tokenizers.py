"""Fits the compact tokenizers to the kept utterances of a build."""

from collections.abc import Callable, Iterator
from pathlib import Path

from curation.audio.flac import decode_flac
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ConfigError
from curation.manifests.groups import all_groups
from curation.pipeline.provenance import open_labelled
from curation.tokenize.fit.pair import fit
from curation.tokenize.fit.settings import FitSettings


def fit_on_build(
    root: str, output: Path, *, max_hours: float, steps: int, codes: int, on_progress: Callable[[str, float], None]
) -> list[Path]:
    """Fit on at most `max_hours` of kept speech; returns the files.

    Raises ConfigError where there is none, or for an unsupported number of `codes`.
    """
    settings = FitSettings(steps=steps, codes=codes)
    waves = list(_at_most((wave for _, wave in kept_waves(root)), max_hours * 3600 * SAMPLE_RATE))
    if not waves:
        msg = f"{root} holds no kept utterances with audio: build it with engine.staging_audio"
        raise ConfigError(msg)
    output.mkdir(parents=True, exist_ok=True)
    fit(waves, output, settings, on_progress)
    return sorted(output.glob("*.safetensors"))


def kept_waves(root: str) -> Iterator[tuple[str, Wave]]:
    """Id and audio of the utterances that the build's own thresholds keep, in order: what was tokenized."""
    _, build = open_labelled(root)
    for group in all_groups(build.out):
        kept = build.select(group, ["audio"]).kept
        pairs = zip(kept["id"].to_pylist(), kept["audio"].to_pylist(), strict=True)
        yield from ((name, decode_flac(content)) for name, content in pairs if content is not None)


def _at_most(waves: Iterator[Wave], samples: float) -> Iterator[Wave]:
    total = 0
    for wave in waves:
        total += len(wave)
        if total > samples:
            return
        yield wave
