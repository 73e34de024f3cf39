"""The one vocabulary of the model: text ids, markers, and the three streams of speech tokens.

Two kinds: the official one of GPA, read from the tokenizer files of a checkpoint (a Qwen text tokenizer, speech tokens
and markers after it), and small ones made for a corpus. Both are folders of the same layout: `tokenizer.json`, or
`vocab.json` with `merges.txt`, and `added_tokens.json`.

Text never becomes a marker or a speech token, whatever its content: it is encoded without the added tokens.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from curation.core.errors import DataError, UserError
from curation.core.records import typed
from curation.tokenize.base import Ids
from curation.tokenize.files import read_config

Stream = Literal["glm", "global_", "semantic"]

MARKERS = (
    "start_glm_token",
    "end_glm_token",
    "start_global_token",
    "end_global_token",
    "start_semantic_token",
    "end_semantic_token",
    "start_content",
    "end_content",
    "im_end",
)
"""Names of the markers; `<|NAME|>` in the tokenizer files, which give their ids. `im_end` ends a sequence."""

FORMS: dict[Stream, str] = {
    "glm": r"<\|(?:glm|glm_token|audio)_(\d+)\|>",
    "global_": r"<\|bicodec_global_(\d+)\|>",
    "semantic": r"<\|bicodec_semantic_(\d+)\|>",
}
"""How the files write speech tokens."""

Id = Annotated[int, Field(ge=0, lt=2**31)]
"""An id of the vocabulary; it is stored in 32 bits."""

OFFICIAL: dict[Stream, range] = {
    "glm": range(151_727, 151_727 + 16_384),
    "global_": range(168_111, 168_111 + 4_096),
    "semantic": range(172_207, 172_207 + 8_192),
}
"""Ids of GPA's release (arXiv 2601.10770) for streams that the files of a checkpoint do not spell out."""


@dataclass(frozen=True)
class Vocabulary:
    """Ids of text, markers and speech tokens. `streams` maps a stream to the range of its ids, in code order."""

    text: Any
    """A `tokenizers.Tokenizer` without added tokens."""
    markers: Mapping[str, int]
    streams: Mapping[Stream, range]

    def __post_init__(self) -> None:
        """Check that no id has two meanings."""
        taken = sorted(
            [*self.streams.values(), *(range(i, i + 1) for i in self.markers.values())], key=lambda r: r.start
        )
        ranges = [range(self.text.get_vocab_size()), *taken]
        for lower, upper in pairwise(ranges):
            if upper.start < lower.stop:
                msg = f"vocabulary: ids {upper.start}..{min(upper.stop, lower.stop) - 1} have two meanings"
                raise DataError(msg)

    @property
    def size(self) -> int:
        """One more than the highest id. A checkpoint's embedding may have more rows."""
        return max(*(number + 1 for number in self.markers.values()), *(ids.stop for ids in self.streams.values()))

    @property
    def end(self) -> int:
        """Id that ends every sequence."""
        return self.markers["im_end"]

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of everything that determines ids."""
        ranges = {name: [ids.start, ids.stop] for name, ids in sorted(self.streams.items())}
        parts = [self.text.to_str(), dict(sorted(self.markers.items())), ranges]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def text_ids(self, text: str) -> Ids:
        """Encode text; `<|…|>` in it is text like any other."""
        return np.array(self.text.encode(text, add_special_tokens=False).ids, dtype=np.int32)

    def text_ids_of(self, texts: Sequence[str]) -> list[Ids]:
        """Encode many texts, each as `text_ids` does, on all CPUs."""
        encoded = self.text.encode_batch(texts, add_special_tokens=False)
        return [np.array(one.ids, dtype=np.int32) for one in encoded]

    def text_of(self, ids: Ids) -> str:
        """Decode text ids. The inverse of `text_ids` up to the normalisation of the text tokenizer (Qwen: NFC)."""
        decoded: str = self.text.decode([int(i) for i in ids], skip_special_tokens=False)
        return decoded

    def speech_ids(self, stream: Stream, codes: Ids) -> Ids:
        """Vocabulary ids of codes of a stream. Raises ValueError for a code that the stream does not have."""
        codes = np.asarray(codes)
        size = len(self.streams[stream])
        if len(codes) and not 0 <= codes.min() <= codes.max() < size:
            msg = f"vocabulary: {stream} codes are within 0..{size - 1}, got {codes.min()}..{codes.max()}"
            raise ValueError(msg)
        return (codes + self.streams[stream].start).astype(np.int32)

    def codes(self, stream: Stream, ids: Ids) -> Ids:
        """Codes of a stream from vocabulary ids: the inverse of `speech_ids`."""
        ids = np.asarray(ids)
        if not all(int(i) in self.streams[stream] for i in ids):
            msg = f"vocabulary: not all ids belong to the stream {stream} ({self.streams[stream]})"
            raise ValueError(msg)
        return (ids - self.streams[stream].start).astype(np.int32)

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` (complete, for any reader of that format) and `added_tokens.json`.

        Only for vocabularies whose ids have no gaps, such as those that `make_vocabulary` makes.
        """
        from tokenizers import AddedToken, Tokenizer

        added = self.added()
        complete = Tokenizer.from_str(self.text.to_str())
        complete.add_special_tokens([AddedToken(token, special=True) for token in added])
        if any(complete.token_to_id(token) != number for token, number in added.items()):
            msg = "vocabulary: ids with gaps cannot be saved; keep the tokenizer files that they came from"
            raise ValueError(msg)
        folder.mkdir(parents=True, exist_ok=True)
        complete.save(str(folder / "tokenizer.json"))
        (folder / "added_tokens.json").write_text(json.dumps(added, indent=1), encoding="utf-8")

    def added(self) -> dict[str, int]:
        """Ids of markers and speech codes as the tokenizer files write them, in the order of ids."""
        names = {"glm": "glm", "global_": "bicodec_global", "semantic": "bicodec_semantic"}
        tokens = {f"<|{name}|>": number for name, number in self.markers.items()}
        for stream, ids in self.streams.items():
            tokens |= {f"<|{names[stream]}_{code}|>": number for code, number in enumerate(ids)}
        return dict(sorted(tokens.items(), key=lambda item: item[1]))


def make_vocabulary(
    *, glm: int, global_: int, semantic: int, texts: Iterable[str] = (), text_size: int = 256
) -> Vocabulary:
    """Make a small vocabulary: byte-level BPE of `text_size` ids trained on `texts` (256: plain bytes), then the
    markers, then `glm`, `global_` and `semantic` codes.
    """
    text = train_text_tokenizer(texts, text_size)
    start = text.get_vocab_size()
    markers = {name: start + i for i, name in enumerate(MARKERS)}
    start += len(MARKERS)
    streams: dict[Stream, range] = {}
    sizes: tuple[tuple[Stream, int], ...] = (("glm", glm), ("global_", global_), ("semantic", semantic))
    for stream, size in sizes:
        streams[stream] = range(start, start + size)
        start += size
    return Vocabulary(text, markers, streams)


def train_text_tokenizer(texts: Iterable[str], size: int) -> Any:
    """Train byte-level BPE, which can write any text; its first 256 ids are the bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    )
    return tokenizer


def load_vocabulary(folder: Path) -> Vocabulary:
    """Read the vocabulary of a checkpoint folder, official or made by `make_vocabulary`.

    Marker ids always come from the files. Ids of a stream come from them where its tokens are spelled out, else from
    `OFFICIAL`. Raises DataError where a file or a marker is missing or ids contradict each other.
    """
    try:
        text, added = _read_tokenizer(folder)
    except UserError:
        raise
    except Exception as error:  # `tokenizers` raises no narrower class
        reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
        msg = f"{folder}: the tokenizer files are damaged ({reason}): restore them from a copy"
        raise DataError(msg) from error
    missing = [name for name in MARKERS if f"<|{name}|>" not in added]
    if missing:
        msg = f"{folder}: tokenizer files lack the markers {', '.join(f'<|{name}|>' for name in missing)}"
        raise DataError(msg)
    markers = {name: added[f"<|{name}|>"] for name in MARKERS}
    return Vocabulary(text, markers, {stream: _stream_ids(stream, added, folder) for stream in FORMS})


def _stream_ids(stream: Stream, added: Mapping[str, int], folder: Path) -> range:
    form = re.compile(FORMS[stream])
    matches = ((form.fullmatch(token), number) for token, number in added.items())
    codes = {int(match[1]): number for match, number in matches if match}
    if not codes:
        return OFFICIAL[stream]
    ids = range(codes.get(0, 0), codes.get(0, 0) + len(codes))
    if any(codes.get(code) != number for code, number in enumerate(ids)):
        msg = f"{folder}: the ids of the {len(codes)} tokens of the stream {stream} are not consecutive from code 0"
        raise DataError(msg)
    return ids


def _read_tokenizer(folder: Path) -> tuple[Any, dict[str, int]]:
    """Read the text tokenizer without added tokens, and the ids of all tokens that are written `<|…|>`."""
    from tokenizers import Tokenizer

    spec = _specification(folder)
    added = {token["content"]: token["id"] for token in spec["added_tokens"]}
    for more in _further_added_tokens(folder):
        clash = [token for token in more if added.get(token, more[token]) != more[token]]
        if clash:
            msg = f"{folder}: the tokenizer files disagree on the id of {clash[0]}"
            raise DataError(msg)
        added |= more
    added = typed(dict[str, Id], added)
    spec |= {"added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    return Tokenizer.from_str(json.dumps(spec)), added


def _further_added_tokens(folder: Path) -> Iterator[dict[str, int]]:
    if (folder / "added_tokens.json").is_file():
        yield read_config(folder / "added_tokens.json")
    if (folder / "tokenizer_config.json").is_file():
        listed = read_config(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
        yield {token["content"]: int(number) for number, token in listed.items()}


def _specification(folder: Path) -> dict[str, Any]:
    if (folder / "tokenizer.json").is_file():
        return read_config(folder / "tokenizer.json")
    if not all((folder / name).is_file() for name in ("vocab.json", "merges.txt")):
        msg = f"{folder}: no tokenizer: expected tokenizer.json, or vocab.json and merges.txt"
        raise DataError(msg)
    from tokenizers.models import BPE
    from transformers import Qwen2Tokenizer

    vocab, merges = BPE.read_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    specification: dict[str, Any] = json.loads(Qwen2Tokenizer(vocab, merges).backend_tokenizer.to_str())
    return specification | {"added_tokens": []}  # the library would number them by itself
