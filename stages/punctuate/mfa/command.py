"""`mfa align` over many utterances at once: for MFA in a separate environment.

Each start costs more than a minute (models, database, dictionary), so it pays only for large batches. The corpus is
a temporary folder with one .wav and one .lab for each utterance, in a folder for each speaker: MFA takes the mean of
the cepstra over a folder, `--single_speaker` or not.
"""

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from curation.audio.files import write_wave
from curation.core.errors import ModelError
from curation.models.store import resolve
from curation.stages.punctuate.base import Placed, Spoken, by_speaker
from curation.stages.punctuate.mfa.models import MfaConfig, dictionary_file, mfa_root, missing
from curation.stages.punctuate.mfa.textgrid import read_words
from curation.stages.punctuate.word_times import letters, place

log = logging.getLogger(__name__)

NONE_ALIGNED = "no successful alignments"
"""In MFA's error where no utterance of the corpus fits its beams: a result, not a failure."""
SUFFIXES = (".json", ".TextGrid", ".csv")
"""Possible file extensions of an utterance's result; JSON is requested."""


class CommandAligner:
    """Runs the program; keeps nothing between calls."""

    def __init__(self, config: MfaConfig) -> None:
        self.config = config

    def load(self) -> None:
        """Look for the program and the models. Raises ModelError."""
        if problem := missing(self.config):
            raise ModelError(problem)
        self._acoustic = resolve(self.config.acoustic_model)
        self._dictionary = dictionary_file(self.config.dictionary)
        self._g2p = resolve(self.config.g2p) if self.config.g2p else None

    def align_all(self, utterances: Sequence[Spoken]) -> list[Placed]:
        """See `Aligner.align_all`. Raises RuntimeError with MFA's last lines where the program fails."""
        placed: list[Placed] = [None] * len(utterances)
        with tempfile.TemporaryDirectory() as folder:
            corpus, out = Path(folder) / "corpus", Path(folder) / "out"
            corpus.mkdir()
            names = {index: name for index, name in _names(utterances) if _write(corpus / name, utterances[index])}
            if not names:
                return placed
            self._run(self.arguments(corpus, out, Path(folder) / "temporary"))
            for index, name in names.items():
                placed[index] = _read(out / name, utterances[index])
        return placed

    def arguments(self, corpus: Path, out: Path, temporary: Path) -> list[str]:
        """The command line (montreal_forced_aligner 3.4.3, command_line/align.py and utils.py)."""
        command = [self.config.command, "align", str(corpus), str(self._dictionary), str(self._acoustic), str(out)]
        command += ["--output_format", "json", "--single_speaker", "--no_tokenization", "--no_use_postgres"]
        command += ["--clean", "--num_jobs", "1", "--temporary_directory", str(temporary)]
        command += ["--beam", str(self.config.beam), "--retry_beam", str(self.config.retry_beam)]
        return [*command, "--g2p_model_path", str(self._g2p)] if self._g2p else command

    def environment(self) -> dict[str, str]:
        """Variables for the program. Its environment need not be active: Kaldi's programs are in the same folder."""
        # MFA keeps its settings under its root; ~/Documents may not be writable on a node.
        variables = {"MFA_ROOT_DIR": str(mfa_root() / "root"), **os.environ}
        variables.pop("PYTHONPATH", None)
        beside = str(Path(shutil.which(self.config.command) or self.config.command).absolute().parent)
        return {**variables, "PATH": os.pathsep.join((beside, variables.get("PATH", os.defpath)))}

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=self.config.timeout_seconds,
            check=False,
            env=self.environment(),
        )
        output = " ".join((done.stdout + done.stderr).split())  # MFA wraps its messages
        if done.returncode != 0 and NONE_ALIGNED not in output:
            said = output[-800:]
            msg = f"`{self.config.command} align` ended with {done.returncode}: {said}"
            raise RuntimeError(msg)


def _names(utterances: Sequence[Spoken]) -> Iterator[tuple[int, Path]]:
    for number, members in enumerate(by_speaker(utterances)):
        for index in members:
            yield index, Path(f"s{number:06d}") / f"u{index:06d}"


def _write(path: Path, spoken: Spoken) -> bool:
    """Put the utterance into the corpus; False where there is nothing to align."""
    words = [word for word in spoken.words if letters(word)]
    if not words or not len(spoken.wave):
        return False
    path.parent.mkdir(exist_ok=True)
    write_wave(path.with_suffix(".wav"), spoken.wave)
    path.with_suffix(".lab").write_text(" ".join(words) + "\n", encoding="utf-8")
    return True


def _read(path: Path, spoken: Spoken) -> Placed:
    """MFA writes no file for an utterance that did not fit its beams."""
    for suffix in SUFFIXES:
        found = path.with_suffix(suffix)
        if found.is_file():
            return place(spoken.words, read_words(found), len(spoken.wave))
    log.info("not aligned by MFA: %s", " ".join(spoken.words)[:80])
    return None
