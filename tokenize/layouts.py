"""The three tasks as token sequences (the layouts of GPA's release, arXiv 2601.10770), and back.

    sequence = encode(Tts(global_=..., text="Hello.", semantic=...), vocabulary)
    sequence.ids, sequence.loss        # the loss covers what follows =>
    decode(sequence.ids, vocabulary)   # the same Tts

The markers identify the task; there is no instruction text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.tokenize.base import Ids
from curation.tokenize.vocabulary import Stream, Vocabulary


@dataclass(slots=True)
class Asr:
    """Speech recognition: both streams of an utterance, and its text."""

    glm: Ids
    semantic: Ids
    text: str


@dataclass(slots=True)
class Tts:
    """Speech synthesis: a voice, a text, and the text in that voice."""

    global_: Ids
    text: str
    semantic: Ids


@dataclass(slots=True)
class Vc:
    """Voice conversion: a voice, somebody's utterance, and that utterance in the voice."""

    global_: Ids
    source: Ids
    target: Ids


@dataclass(slots=True)
class Clone:
    """Speech synthesis that goes on from an utterance: its voice, its text and the new one, and its semantic codes."""

    global_: Ids
    text: str
    said: Ids


Example = Asr | Tts | Vc

_ASR = """<start_glm_token> glm <end_glm_token> <start_semantic_token> semantic <end_semantic_token>
          <start_content> => text <end_content> <im_end>"""
_TTS = """<start_global_token> global_ <end_global_token> <start_content> text <end_content>
          => semantic <im_end>"""
_VC = """<start_global_token> global_ <end_global_token> <start_semantic_token> source <end_semantic_token>
         <end_content> => target <im_end>"""
_CLONE = """<start_global_token> global_ <end_global_token> <start_content> text <end_content>
            <start_semantic_token> said =>"""

LAYOUTS: dict[type[Example], list[str]] = {Asr: _ASR.split(), Tts: _TTS.split(), Vc: _VC.split()}
"""Markers in angle brackets, fields of the example by name; the model learns what follows =>."""
PROMPTS: dict[type[Any], list[str]] = {**LAYOUTS, Clone: _CLONE.split()}
"""What a model may be asked: no sample is laid out as the last one is, in the release neither."""

ARROW = "=>"
STREAMS: dict[str, Stream] = {
    "glm": "glm",
    "global_": "global_",
    "semantic": "semantic",
    "source": "semantic",
    "target": "semantic",
    "said": "semantic",
}
"""The stream of each field; `text` is the only field that is none."""


@dataclass(slots=True)
class Sequence:
    """`ids` (tokens,) int32 and `loss` (tokens,) bool: true for the tokens to predict."""

    ids: Ids
    loss: npt.NDArray[np.bool_]

    @property
    def prompt(self) -> Ids:
        """The prompt of the task: everything before =>."""
        return self.ids[~self.loss]


def encode(example: Example | Clone, vocabulary: Vocabulary) -> Sequence:
    """Lay out an example. For a prompt only, leave the field after => empty. Raises ValueError for unknown codes."""
    values = {field.name: getattr(example, field.name) for field in fields(example)}
    ids = {
        name: vocabulary.text_ids(value) if name == "text" else vocabulary.speech_ids(STREAMS[name], value)
        for name, value in values.items()
    }
    return lay_out(type(example), ids, vocabulary)


def lay_out(task: type[Example | Clone], ids: Mapping[str, Ids], vocabulary: Vocabulary) -> Sequence:
    """Lay out the fields of an example that are vocabulary ids already."""
    pieces: list[Ids] = []
    prompt_length = 0
    for part in PROMPTS[task]:
        if part == ARROW:
            prompt_length = sum(map(len, pieces))
        elif part.startswith("<"):
            pieces.append(np.array([vocabulary.markers[part[1:-1]]], dtype=np.int32))
        else:
            pieces.append(ids[part])
    joined = np.concatenate(pieces)
    return Sequence(joined, np.arange(len(joined)) >= prompt_length)


def decode(ids: Ids, vocabulary: Vocabulary) -> Example:
    """Read a whole sequence back. Raises ValueError, with the first position that fits no layout."""
    ids = np.asarray(ids)
    furthest = 0
    for task, layout in LAYOUTS.items():
        found: dict[str, Any] = {}
        position = 0
        for part in layout:
            if part == ARROW:
                continue
            end = _end_of(part, ids, position, vocabulary)
            if end is None:
                break
            if not part.startswith("<"):
                found[part] = _field_value(part, ids[position:end], vocabulary)
            position = end
        else:
            if position == len(ids):
                return task(**{field.name: found[field.name] for field in fields(task)})
        furthest = max(furthest, position)
    msg = f"no task is laid out like this: unexpected token at position {furthest} of {len(ids)}"
    raise ValueError(msg)


def _field_value(name: str, ids: Ids, vocabulary: Vocabulary) -> Any:
    return vocabulary.text_of(ids) if name == "text" else vocabulary.codes(STREAMS[name], ids)


def _end_of(part: str, ids: Ids, start: int, vocabulary: Vocabulary) -> int | None:
    """Find where `part` ends that begins at `start`; None if it is a marker that does not stand there."""
    if part.startswith("<"):
        there = start < len(ids) and ids[start] == vocabulary.markers[part[1:-1]]
        return start + 1 if there else None
    own = range(vocabulary.text.get_vocab_size()) if part == "text" else vocabulary.streams[STREAMS[part]]
    foreign = np.flatnonzero((ids[start:] < own.start) | (ids[start:] >= own.stop))
    return start + int(foreign[0]) if len(foreign) else len(ids)
