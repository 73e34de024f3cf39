"""The two tokenizers that encode an utterance together: the content tokenizer and the codec."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from curation.audio.wave import Wave
from curation.core.records import typed
from curation.core.settings import Section, model_field, publish_field
from curation.core.timing import inside_model
from curation.tokenize.base import META, CodecTokenizer, ContentTokenizer
from curation.tokenize.registry import check_reference, load_codec, load_content


class TokenizeConfig(Section):
    """Which tokenizers encode the kept utterances."""

    glm: str = model_field(
        "compact",
        "12.5 tokens/s tokenizer: compact, a folder or hf: reference of GLM-4-Voice's, or a plug-in's KIND[:REFERENCE]",
        publish=True,
    )
    bicodec: str = model_field(
        "compact",
        "50 tokens/s codec: compact, a folder or hf: reference of BiCodec, or a plug-in's KIND[:REFERENCE]",
        publish=True,
    )
    device: Literal["cpu", "cuda"] = publish_field("cpu", "where official tokenizers run; the compact ones use the CPU")

    @field_validator("glm")
    @classmethod
    def _has_content(cls, reference: str) -> str:
        check_reference(reference, "content")
        return reference

    @field_validator("bicodec")
    @classmethod
    def _has_codec(cls, reference: str) -> str:
        check_reference(reference, "codec")
        return reference


Size = Annotated[int, Field(ge=1, le=10**6)]


@dataclass(frozen=True, slots=True)
class _DescribedContent:
    size: Size = 1
    name: str = ""
    reference: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class _DescribedCodec:
    semantic_size: Size = 1
    global_size: Size = 1
    num_global: Size = 1
    name: str = ""
    reference: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class _Described:
    fingerprint: str
    glm: _DescribedContent
    bicodec: _DescribedCodec


def check_description(values: Any) -> None:
    """Raise ValueError, which names the field, for values that `TokenizerPair.describe` does not give; what a
    checkpoint or an index does not say of a tokenizer is missing.
    """
    typed(_Described, values)


class TokenCountError(ValueError):
    """A tokenizer gave another number of ids than the clip's length asks for."""


@dataclass(frozen=True)
class DualTokenizer:
    """The two tokenizers of the paper, or the compact ones in their place."""

    content: ContentTokenizer
    codec: CodecTokenizer
    references: tuple[str, str] = ("", "")
    """Their references in the configuration: `compact`, a folder, or an `hf:` reference; content, then codec."""

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 over both: shards made with other tokenizers have another one."""
        return hashlib.sha256(f"{self.content.fingerprint}\n{self.codec.fingerprint}".encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Their description in the index of the shards."""
        return {
            "fingerprint": self.fingerprint,
            "glm": {
                "name": self.content.name,
                "reference": self.references[0],
                "fingerprint": self.content.fingerprint,
                "size": self.content.codebook_size,
            },
            "bicodec": {
                "name": self.codec.name,
                "reference": self.references[1],
                "fingerprint": self.codec.fingerprint,
                "semantic_size": self.codec.semantic_size,
                "global_size": self.codec.global_size,
                "num_global": self.codec.num_global,
            },
        }

    def encode(self, waves: Sequence[Wave]) -> list[dict[str, Any]]:
        """The three streams of each clip. Raises TokenCountError where a count does not fit the duration."""
        with inside_model(f"tokenize.{self.content.name}"):
            content = self.content.encode(waves)
        with inside_model(f"tokenize.{self.codec.name}"):
            codec = self.codec.encode(waves)
        rows = [
            {"glm": ids, "semantic": both.semantic, "global": both.global_}
            for ids, both in zip(content, codec, strict=True)
        ]
        for wave, row in zip(waves, rows, strict=True):
            self._check(len(wave), row)
        return rows

    def _check(self, samples: int, row: dict[str, Any]) -> None:
        expected = {
            "glm": self.content.num_tokens(samples),
            "semantic": self.codec.num_semantic(samples),
            "global": self.codec.num_global,
        }
        for stream, count in expected.items():
            if len(row[stream]) != count:
                msg = f"{len(row[stream])} {stream} ids for {samples} samples, expected {count}"
                raise TokenCountError(msg)


def load_tokenizers(config: TokenizeConfig | None, device: str | None = None) -> DualTokenizer | None:
    """The tokenizers that the configuration names, on its device or another; None where tokenizing is switched off."""
    if config is None:
        return None
    device = device or config.device
    content, codec = load_content(config.glm, device), load_codec(config.bicodec, device)
    return DualTokenizer(content, codec, (config.glm, config.bicodec))


def described(config: TokenizeConfig | None) -> dict[str, Any] | None:
    """How an index describes the tokenizers that the configuration names, None where there are none; the weights of
    those that know the device `meta` are not loaded for that.
    """
    tokenizers = load_tokenizers(config, device=META)
    return tokenizers.describe() if tokenizers else None
