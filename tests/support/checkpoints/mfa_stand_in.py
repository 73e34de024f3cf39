"""A stand-in for Montreal Forced Aligner where there is no Kaldi: the names, signatures and types of
montreal_forced_aligner 3.4.3 and kalpy 0.10.5 that the adapter uses, and no acoustics.

Words last 200 ms each after 100 ms of silence, so that a test can tell where each came from.
"""

# ruff: noqa: ARG002, PLR0917, RUF001 - signatures are those of the original; a typographic apostrophe

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


class KalpyError(Exception):
    pass


class AlignerError(KalpyError):
    pass


class SymbolTable:
    def __init__(self, symbols=()):
        self.symbols = list(symbols)

    def member(self, symbol: str) -> bool:
        return symbol in self.symbols

    def write_text(self, path: str) -> None:
        Path(path).write_text("\n".join(self.symbols))

    @classmethod
    def read_text(cls, path: str):
        return cls(Path(path).read_text().split("\n"))


class Fst:
    def write(self, path: str) -> None:
        assert isinstance(path, str)
        Path(path).write_text("fst")


class LexiconCompiler:
    compiled = 0

    def __init__(
        self,
        disambiguation: bool = False,
        silence_probability: float = 0.5,
        initial_silence_probability: float = 0.5,
        final_silence_correction: float | None = None,
        final_non_silence_correction: float | None = None,
        silence_word: str = "<eps>",
        oov_word: str = "<unk>",
        silence_phone: str = "sil",
        oov_phone: str = "spn",
        position_dependent_phones: bool = False,
        ignore_case: bool = True,
        phones: Any = None,
    ):
        self.word_table = SymbolTable([silence_word, oov_word])
        self.phone_table = SymbolTable(["<eps>", silence_phone, oov_phone, *sorted(phones)])
        self.fst = self.align_fst = None

    def load_pronunciations(self, file_name: Path) -> None:
        for line in Path(file_name).read_text().splitlines():
            self.word_table.symbols.append(line.split()[0].lower())

    def create_fsts(self) -> None:
        self.fst, self.align_fst = Fst(), Fst()
        LexiconCompiler.compiled += 1

    def clear(self) -> None:
        pass

    def load_l_from_file(self, path: Path) -> None:
        assert Path(path).is_file()
        self.fst = Fst()

    def load_l_align_from_file(self, path: Path) -> None:
        assert Path(path).is_file()
        self.align_fst = Fst()


class AcousticModel:
    pitch_computer = None
    mfcc_computer = "mfcc"

    def __init__(self, source: Path, root_directory: Path | None = None):
        assert source.is_dir()  # as in the original, a str has no such method
        assert (source / "final.mdl").is_file()
        self.meta = json.loads((source / "meta.json").read_text())
        self.model_path, self.tree_path = source / "final.mdl", source / "tree"

    @property
    def parameters(self):
        corrections = ("final_silence_correction", "final_non_silence_correction")
        return {
            "silence_probability": self.meta["silence_probability"],
            "initial_silence_probability": self.meta["initial_silence_probability"],
            **{key: self.meta[key] for key in corrections},
            "optional_silence_phone": self.meta["optional_silence_phone"],
            "oov_phone": self.meta["oov_phone"],
            "position_dependent_phones": self.meta["dictionaries"]["position_dependent_phones"],
            "non_silence_phones": set(self.meta["phones"]),
        }


@dataclass
class Pronounced:
    pronunciation: str


class G2PModel:
    def __init__(self, source: Path, root_directory: Path | None = None):
        assert source.is_dir()

    @property
    def rewriter(self):
        return lambda word: [Pronounced("S EH L F")] if word.isascii() else []


@dataclass
class Segment:
    file_path: Path
    begin: float | None = 0.0
    end: float | None = None
    channel: int | None = 0

    def load_audio(self):
        message = f"{self.file_path} was read"
        raise AssertionError(message)

    @property
    def wave(self):
        return self.load_audio()


@dataclass
class Utterance:
    segment: Segment
    transcript: str
    cmvn_string: str | None = None
    fmllr_string: str | None = None
    mfccs: Any = None

    def generate_mfccs(self, mfcc_computer):
        self.mfccs = {"samples": len(self.segment.wave), "by": mfcc_computer, "cmvn": None}

    def apply_cmvn(self, cmvn, sliding_cmvn: bool = False, cmvn_norm_vars: bool = False):
        self.mfccs["cmvn"] = cmvn


class CmvnComputer:
    def __init__(self, online: bool = False):
        pass

    def compute_cmvn_from_features(self, features):
        return [item["samples"] for item in features]


@dataclass
class WordInterval:
    label: str
    begin: float
    end: float


@dataclass
class HierarchicalCtm:
    word_intervals: list[WordInterval]


class TrainingGraphCompiler:
    def __init__(self, model_path, tree_path, lexicon_compiler):
        self.lexicon_compiler = lexicon_compiler


class KalpyAligner:
    made: "list[KalpyAligner]" = []  # noqa: RUF012

    def __init__(self, acoustic_model, lexicon_compiler, beam: int = 10, retry_beam: int = 40):
        self.acoustic_model, self.lexicon_compiler = acoustic_model, lexicon_compiler
        self.graph_compiler = TrainingGraphCompiler(None, None, lexicon_compiler)
        self.beams = beam, retry_beam
        KalpyAligner.made.append(self)

    def align_utterance(self, utterance: Utterance) -> HierarchicalCtm:
        assert utterance.mfccs["cmvn"] == [utterance.mfccs["samples"]]
        assert self.graph_compiler.lexicon_compiler is self.lexicon_compiler
        if "mismatch" in utterance.transcript:
            message = "Could not align the file with the current beam size"
            raise AlignerError(message)
        intervals, at = [WordInterval("<eps>", 0.0, 0.1)], 0.1
        for word in utterance.transcript.split():
            label = word if self.lexicon_compiler.word_table.member(word) else "<unk>"
            intervals.append(WordInterval(label, at, round(at + 0.2, 3)))
            at = round(at + 0.2, 3)
        return HierarchicalCtm([*intervals, WordInterval("<eps>", at, utterance.segment.end)])


@dataclass
class TokenizedText:
    normalized_text: str


class SimpleTokenizer:
    def __init__(
        self,
        word_break_markers,
        punctuation,
        clitic_markers,
        compound_markers,
        brackets,
        laughter_word="[laughter]",
        oov_word="<unk>",
        bracketed_word="[bracketed]",
        cutoff_word="[cutoff]",
        ignore_case=True,
        clitic_set=None,
        grapheme_set=None,
        word_table=None,
    ):
        self.word_table = word_table

    def __call__(self, text: str) -> TokenizedText:
        plain = " ".join(re.findall(r"[\w'’-]+", text.lower())).replace("’", "'")
        return TokenizedText(plain if self.word_table.member(plain) else plain.replace("-", " "))


def install(monkeypatch) -> None:
    """Make the stand-in importable, as MFA would be."""
    lists = ("DEFAULT_WORD_BREAK_MARKERS", "DEFAULT_PUNCTUATION", "DEFAULT_CLITIC_MARKERS", "DEFAULT_COMPOUND_MARKERS")
    names = ("DEFAULT_BRACKETS", "LAUGHTER_WORD", "OOV_WORD", "BRACKETED_WORD", "CUTOFF_WORD")
    data = dict.fromkeys((*lists, *names), "")
    contents = {
        "_kalpy": {},
        "kalpy": {},
        "kalpy.aligner": {"KalpyAligner": KalpyAligner},
        "kalpy.decoder": {},
        "kalpy.decoder.training_graphs": {"TrainingGraphCompiler": TrainingGraphCompiler},
        "kalpy.exceptions": {"KalpyError": KalpyError},
        "kalpy.feat": {},
        "kalpy.feat.cmvn": {"CmvnComputer": CmvnComputer},
        "kalpy.fstext": {},
        "kalpy.fstext.lexicon": {"LexiconCompiler": LexiconCompiler},
        "kalpy.utterance": {"Segment": Segment, "Utterance": Utterance},
        "montreal_forced_aligner": {},
        "montreal_forced_aligner.data": data,
        "montreal_forced_aligner.models": {"AcousticModel": AcousticModel, "G2PModel": G2PModel},
        "montreal_forced_aligner.tokenization": {},
        "montreal_forced_aligner.tokenization.simple": {"SimpleTokenizer": SimpleTokenizer},
        "pynini": {},
        "pynini.lib": {"rewrite": type("rewrite", (), {"Error": RuntimeError})},
        "pywrapfst": {"SymbolTable": SymbolTable},
    }
    for name, members in contents.items():
        module = ModuleType(name)
        module.__spec__ = type(sys.__spec__)(name, None)
        module.__path__ = []
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, module)
    KalpyAligner.made.clear()
    LexiconCompiler.compiled = 0
