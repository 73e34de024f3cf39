"""Which set of ASR systems is worth its cost? WER of what pWER keeps, the share kept, CPU seconds per second of audio.

    OMP_NUM_THREADS=1 python -m tests.bench.accuracy.systems WORK [FOLDER...] [--only NAME...] [--sets A+B+C...]

WORK keeps what each system heard, so that nothing is heard twice. Material: the readings and the telephone call of
`tests.bench.inputs.speech`, clean and in white noise at 10 dB, and the English recordings of each FOLDER
(`manifest.jsonl` with `path`, `language`, `transcript`), cut at quiet points into pieces of up to 12 s. Errors of the
kept pieces of a recording are those that an alignment of the whole with its transcript puts there.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from curation.audio.files import read_wave
from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.manifests.records import Hypothesis
from curation.stages.consensus.agreement import agree, pairwise_wer
from curation.stages.transcribe.base import SystemConfig
from curation.stages.transcribe.moonshine import MoonshineConfig
from curation.stages.transcribe.pocketsphinx import PocketSphinxConfig
from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.whisper import WhisperConfig
from curation.text.normalize import normalizer_for
from tests.bench.inputs.speech import Passage, cut, passages, with_noise

ENGLISH = normalizer_for("en")
PIECE_SECONDS = 12.0
NOISE_DB = 10.0


def _whisper(model: str, **changes: object) -> SystemConfig:
    return WhisperConfig.model_validate({"name": model, "model": f"whisper-{model}", **changes})


SYSTEMS: dict[str, SystemConfig] = {
    "base": _whisper("base"),
    "base/2": _whisper("base", beam_size=2),
    "base/1": _whisper("base", beam_size=1),
    "base/1 int8_float32": _whisper("base", beam_size=1, compute_type="int8_float32"),
    "base/1 float32": _whisper("base", beam_size=1, compute_type="float32"),
    "base in 10 s": _whisper("base", window_grid=10.0),
    "base/1 in eights": _whisper("base", beam_size=1, batch_size=8),
    "tiny.en": _whisper("tiny.en"),
    "tiny.en/1": _whisper("tiny.en", beam_size=1),
    "moonshine": MoonshineConfig(),
    "pocketsphinx": PocketSphinxConfig(),
}
"""/2: beams; 5 where nothing is said, int8."""
ALL = "all"


@dataclass(frozen=True)
class Heard:
    """What a system heard in a piece, and CPU seconds."""

    hypothesis: Hypothesis
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--only", nargs="*", default=list(SYSTEMS), help="names of systems")
    parser.add_argument("--sets", nargs="*", help="systems joined by +; default: all of two and three")
    parser.add_argument("--max-pwer", type=float, nargs="*", default=[0.15])
    options = parser.parse_args()
    material = [*_material(options.folders)]
    heard = {name: list(hear(options.work, name, material)) for name in options.only}
    sets = [tuple(item.split("+")) for item in options.sets or ()] or [
        names for count in (1, 2, 3) for names in combinations(options.only, count)
    ]
    corpora = [*dict.fromkeys(item.corpus for item in material), ALL]
    print(f"| systems | max_pwer | CPU s/s | {' | '.join(corpora)} |\n|---|---|---|{'---|' * len(corpora)}")
    for names in sets:
        for threshold in options.max_pwer if len(names) > 1 else [np.inf]:
            print_row(names, threshold, material, [heard[name] for name in names], corpora)


def _material(folders: Sequence[Path]) -> Iterator[Passage]:
    clean = passages()
    yield from clean
    for seed, item in enumerate(clean):
        yield replace(item, corpus="in noise", waves=[with_noise(wave, NOISE_DB, seed) for wave in item.waves])
    for folder in folders:
        for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["language"] == "en" and row["transcript"]:
                wave = peak_normalize(read_wave(folder / row["path"]))
                yield Passage(folder.name, cut(wave, PIECE_SECONDS), row["transcript"])


def hear(work: Path, name: str, material: Sequence[Passage]) -> Iterator[list[Heard]]:
    """For each passage, what the system heard in its pieces."""
    work.mkdir(parents=True, exist_ok=True)
    file = work / f"{name.replace('/', '-').replace(' ', '-')}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    known = {row["of"]: Heard(Hypothesis(**row["hypothesis"]), row["cpu"]) for row in rows}
    config = SYSTEMS[name]
    missing = sorted((wave for item in material for wave in item.waves if _key(wave) not in known), key=len)
    if missing:
        system = build_system(config)
        system.load()
        system.transcribe(missing[:1], ["en"])  # the first call takes longer
        with file.open("a", encoding="utf-8", buffering=1) as out:
            for at in range(0, len(missing), config.batch_size):
                waves = missing[at : at + config.batch_size]
                start = time.process_time()
                hypotheses = system.transcribe(waves, ["en"] * len(waves))
                spent = (time.process_time() - start) / sum(map(len, waves))
                for wave, hypothesis in zip(waves, hypotheses, strict=True):
                    found = Heard(replace(hypothesis, system=name), spent * len(wave))
                    known[_key(wave)] = found
                    out.write(json.dumps({"of": _key(wave), **asdict(found)}) + "\n")
    return ([known[_key(wave)] for wave in item.waves] for item in material)


def _key(wave: Wave) -> str:
    return hashlib.sha256(wave.tobytes()).hexdigest()[:16]


def print_row(
    names: Sequence[str],
    threshold: float,
    material: Sequence[Passage],
    heard: Sequence[Sequence[Sequence[Heard]]],
    corpora: Sequence[str],
) -> None:
    """For each corpus: WER of the kept, and the share of the seconds that is kept."""
    counts = {corpus: np.zeros(4) for corpus in corpora}
    cpu = 0.0
    for place, item in enumerate(material):
        pieces = list(zip(*(system[place] for system in heard), strict=True))
        cpu += sum(one.cpu for piece in pieces for one in piece)
        texts, kept = [], []
        for wave, piece in zip(item.waves, pieces, strict=True):
            found = agree([one.hypothesis for one in piece], ENGLISH, len(wave) / SAMPLE_RATE)
            units = ENGLISH.units(found.combined.text)
            texts.append(units)
            kept.append(bool(units) and (len(piece) == 1 or pairwise_wer(found.rates) < threshold))
        for wave, (wrong, words), keep in zip(item.waves, errors(item.reference, texts), kept, strict=True):
            seconds = len(wave) / SAMPLE_RATE
            for corpus in (item.corpus, ALL):
                counts[corpus] += np.array([wrong * keep, words * keep, seconds * keep, seconds])
    total = counts[ALL][3]
    cells = [f"{value[0] / max(value[1], 1):.1%} of {value[2] / value[3]:.0%}" for value in counts.values()]
    print(f"| {', '.join(names)} | {threshold:g} | {cpu / total:.3f} | {' | '.join(cells)} |")


def errors(reference: str, texts: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """(errors, words of the reference) of each piece of a text, by an alignment of the whole."""
    expected = ENGLISH.units(reference)
    owner = [place for place, text in enumerate(texts) for _ in text]
    found = [[0, 0] for _ in texts]
    for step in Levenshtein.opcodes(expected, [word for text in texts for word in text]):
        length = max(step.src_end - step.src_start, step.dest_end - step.dest_start)
        for offset in range(length):
            at = min(step.dest_start + min(offset, max(0, step.dest_end - step.dest_start - 1)), len(owner) - 1)
            piece = found[owner[at]] if owner else found[0]
            piece[0] += step.tag != "equal"
            piece[1] += offset < step.src_end - step.src_start
    return [(wrong, words) for wrong, words in found]


if __name__ == "__main__":
    main()
