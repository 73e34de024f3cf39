"""Montreal Forced Aligner inside this process: models loaded once, utterances aligned through MFA and kalpy.

Source: montreal_forced_aligner 3.4.3, `command_line/align_one.py` and `online/alignment.py`; kalpy 0.10.5. One
utterance is one unit here: cepstral mean normalisation is over it alone, so that no result depends on its neighbours.
Needs Kaldi (docs/how-to/mfa.md).
"""

import copy
import hashlib
import json
import logging
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from curation.audio.files import write_wave
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ModelError
from curation.models.store import sha256_of
from curation.stages.punctuate.base import Placed, Spoken
from curation.stages.punctuate.mfa.models import (
    MfaConfig,
    dictionary_file,
    mfa_root,
    missing,
    model_folder,
    prepare_environment,
    publish,
)
from curation.stages.punctuate.mfa.textgrid import SILENCES
from curation.stages.punctuate.word_times import Timed, place

log = logging.getLogger(__name__)

MIN_WORD_SECONDS = 0.03
"""A phone has three states of one frame each: text that is denser than this cannot be aligned."""
FST, ALIGN_FST, WORDS, PHONES = "L.fst", "L_align.fst", "words.txt", "phones.txt"


class MemoryAligner:
    """The models, and the alignment of one utterance."""

    def __init__(self, config: MfaConfig) -> None:
        self.config = config

    def load(self) -> None:
        """Load acoustic model, dictionary and G2P model. Raises ModelError where MFA or a model is missing."""
        if problem := missing(self.config):
            raise ModelError(problem)
        prepare_environment()
        try:
            from kalpy.aligner import KalpyAligner
            from montreal_forced_aligner.models import AcousticModel, G2PModel
        except ImportError as error:
            msg = f"Montreal Forced Aligner cannot be imported ({error}); docs/how-to/mfa.md lists what it needs"
            raise ModelError(msg) from error
        self._dictionary = dictionary_file(self.config.dictionary)
        self._model = AcousticModel(model_folder(self.config.acoustic_model))
        self._lexicon = self._load_lexicon()
        self._tokenizer = tokenizer(self._lexicon.word_table)
        self._aligner = KalpyAligner(
            self._model, self._lexicon, beam=self.config.beam, retry_beam=self.config.retry_beam
        )
        self._rewriter = G2PModel(model_folder(self.config.g2p)).rewriter if self.config.g2p else None
        self._guesses: dict[str, str] = {}

    def align_all(self, utterances: Sequence[Spoken]) -> list[Placed]:
        """See `Aligner.align_all`; one after the other."""
        return [self._align(spoken.wave, spoken.words) for spoken in utterances]

    def _align(self, wave: Wave, words: Sequence[str]) -> Placed:
        from kalpy.exceptions import KalpyError

        tokens = [token for word in words for token in self._tokenizer(word).normalized_text.split()]
        if not tokens or len(wave) < len(tokens) * MIN_WORD_SECONDS * SAMPLE_RATE:
            return None
        try:
            intervals = self._intervals(wave, tokens)
        except (KalpyError, RuntimeError) as error:  # beam too narrow; Kaldi itself raises RuntimeError
            log.info("not aligned: %s", str(error).replace("\n", " "))
            return None
        spoken = [interval for interval in intervals if interval.label not in SILENCES]
        if len(spoken) != len(tokens):
            return None
        # A word outside the dictionary is labelled <unk>; the tokens have its text.
        timed = [Timed(item.begin, item.end, token) for item, token in zip(spoken, tokens, strict=True)]
        return place(words, timed, len(wave))

    def _intervals(self, wave: Wave, tokens: list[str]) -> list[Any]:
        from kalpy.feat.cmvn import CmvnComputer
        from kalpy.utterance import Utterance

        with tempfile.TemporaryDirectory() as folder:
            segment = _segment(wave, Path(folder), on_disk=self._model.pitch_computer is not None)
            utterance = Utterance(segment, " ".join(tokens))
            utterance.generate_mfccs(self._model.mfcc_computer)
            utterance.apply_cmvn(CmvnComputer().compute_cmvn_from_features([utterance.mfccs]))
            intervals: list[Any] = self._aligner_for(tokens).align_utterance(utterance).word_intervals
        return intervals

    def _aligner_for(self, tokens: list[str]) -> Any:
        """The aligner, or one with this utterance's own small dictionary where G2P adds some of its words.

        Adding words to the whole dictionary would make the result depend on earlier utterances.
        """
        unknown = [token for token in dict.fromkeys(tokens) if not self._lexicon.word_table.member(token)]
        guessed = [f"{token}\t{phones}" for token in unknown if (phones := self._guess(token))]
        if not guessed:
            return self._aligner
        from kalpy.decoder.training_graphs import TrainingGraphCompiler

        known = [line for token in dict.fromkeys(tokens) for line in self._pronunciations.get(token, ())]
        lexicon = self._compiler()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "utterance.dict"
            path.write_text("\n".join([*known, *guessed]) + "\n", encoding="utf-8")
            lexicon.load_pronunciations(path)
        lexicon.create_fsts()
        aligner = copy.copy(self._aligner)  # shares the acoustic model
        aligner.lexicon_compiler = lexicon
        aligner.graph_compiler = TrainingGraphCompiler(self._model.model_path, self._model.tree_path, lexicon)
        return aligner

    def _guess(self, token: str) -> str:
        """Phones by the G2P model; empty where there is none or it cannot pronounce the word."""
        if self._rewriter is None:
            return ""
        if token not in self._guesses:
            self._guesses[token] = _rewrite(self._rewriter, token, self._model.parameters["non_silence_phones"])
        return self._guesses[token]

    @cached_property
    def _pronunciations(self) -> dict[str, list[str]]:
        """Lower-case word -> its lines in the dictionary."""
        lines = defaultdict(list)
        with self._dictionary.open(encoding="utf-8") as file:
            for line in file:
                if parts := line.split(maxsplit=1):
                    lines[parts[0].lower()].append(line.strip())
        return dict(lines)

    def _compiler(self) -> Any:
        from kalpy.fstext.lexicon import LexiconCompiler

        given = self._model.parameters
        return LexiconCompiler(
            disambiguation=False,
            silence_probability=given["silence_probability"],
            initial_silence_probability=given["initial_silence_probability"],
            final_silence_correction=given["final_silence_correction"],
            final_non_silence_correction=given["final_non_silence_correction"],
            silence_phone=given["optional_silence_phone"],
            oov_phone=given["oov_phone"],
            position_dependent_phones=given["position_dependent_phones"],
            phones=given["non_silence_phones"],
            ignore_case=True,
        )

    def _load_lexicon(self) -> Any:
        """The dictionary as finite-state transducers: compiled once on each machine, then read (facts: 12 s to 1 s)."""
        import pywrapfst

        lexicon = self._compiler()
        folder = mfa_root() / "lexicons" / self._lexicon_key()
        if folder.is_dir():
            lexicon.load_l_from_file(folder / FST)
            lexicon.load_l_align_from_file(folder / ALIGN_FST)
            lexicon.word_table = pywrapfst.SymbolTable.read_text(str(folder / WORDS))
            lexicon.phone_table = pywrapfst.SymbolTable.read_text(str(folder / PHONES))
            return lexicon
        lexicon.load_pronunciations(self._dictionary)
        lexicon.create_fsts()
        lexicon.clear()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            written = Path(temporary) / "lexicon"
            written.mkdir()
            lexicon.fst.write(str(written / FST))
            lexicon.align_fst.write(str(written / ALIGN_FST))
            lexicon.word_table.write_text(str(written / WORDS))
            lexicon.phone_table.write_text(str(written / PHONES))
            publish(written, folder)
        return lexicon

    def _lexicon_key(self) -> str:
        """Changes with the dictionary, the acoustic model's metadata about it, and MFA's version."""
        given = {
            key: sorted(value) if isinstance(value, set) else value for key, value in self._model.parameters.items()
        }
        try:
            given["mfa"] = version("montreal-forced-aligner")
        except PackageNotFoundError:
            given["mfa"] = ""
        given["dictionary"] = sha256_of(self._dictionary)
        return hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode()).hexdigest()[:16]


def tokenizer(word_table: Any) -> Any:
    """MFA's rules for compounds, apostrophes and punctuation, by this dictionary.

    Not the language's spaCy tokenizer, which MFA's command line prefers: it may be missing, and it would fetch its
    model.
    """
    from montreal_forced_aligner import data
    from montreal_forced_aligner.tokenization.simple import SimpleTokenizer

    return SimpleTokenizer(
        word_table=word_table,
        word_break_markers=data.DEFAULT_WORD_BREAK_MARKERS,
        punctuation=data.DEFAULT_PUNCTUATION,
        clitic_markers=data.DEFAULT_CLITIC_MARKERS,
        compound_markers=data.DEFAULT_COMPOUND_MARKERS,
        brackets=data.DEFAULT_BRACKETS,
        laughter_word=data.LAUGHTER_WORD,
        oov_word=data.OOV_WORD,
        bracketed_word=data.BRACKETED_WORD,
        cutoff_word=data.CUTOFF_WORD,
        ignore_case=True,
    )


def _rewrite(rewriter: Any, token: str, phones: set[str]) -> str:
    from pynini.lib import rewrite

    try:
        found = rewriter(token)
    except (rewrite.Error, ValueError):  # a letter unknown to the model
        return ""
    best = str(found[0].pronunciation) if found else ""
    return best if set(best.split()) <= phones else ""


def _segment(wave: Wave, folder: Path, *, on_disk: bool) -> Any:
    """A segment of kalpy: the samples themselves, or a file where the model's pitch features read one."""
    from kalpy.utterance import Segment

    class InMemory(Segment):  # type: ignore[misc]  # kalpy has no type information
        def load_audio(self) -> Wave:
            return wave

    seconds = len(wave) / SAMPLE_RATE
    path = folder / "utterance.wav"
    if not on_disk:
        return InMemory(path, 0.0, seconds, 0)
    write_wave(path, wave)
    return Segment(path, 0.0, seconds, 0)
