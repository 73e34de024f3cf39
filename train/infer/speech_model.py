"""One checkpoint, three calls: transcribe, speak, convert; and the same three as streams.

    model = SpeechModel.open("checkpoint")
    texts = model.transcribe([wave, other])
    waves = model.speak(["Good morning."], [reference])
    waves = model.convert([source], [reference])
    for chunk in model.speak_stream("A long story. …", reference): ...

Waves are mono float32 at 16 kHz. A reference says whose voice: a wave of it, the global ids of one (int, (32,)), or a
`VoiceSample`. One reference may serve all items. Where a reference comes with its transcript, speech goes on from it,
in its accent and manner; the answer holds the new speech alone. Waves are prepared as those of the training corpus,
where the checkpoint says how, else scaled (train/infer/preparation.py). Speech is sampled by `model.sampling` where a
call gives no sampling. All calls may be made from several threads: requests share the steps of one engine.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from curation.audio.levels import levelled
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ConfigError, DataError
from curation.text.spoken import spoken
from curation.tokenize.base import CodecTokenizer, CodecTokens, ContentTokenizer, Ids
from curation.tokenize.layouts import Asr, Clone, Example, Tts, Vc, encode
from curation.tokenize.vocabulary import Vocabulary
from curation.train.checkpoint.folder import find_parts
from curation.train.infer.backends.base import Answer, Backend, Request
from curation.train.infer.backends.remote import connect
from curation.train.infer.long_text import join_streams, join_texts, join_waves, size_of, split_audio, spoken_pieces
from curation.train.infer.preparation import Prepare, preparation_for
from curation.train.infer.sampling import GREEDY, Allowed, Sampling, speech_sampling
from curation.train.infer.streaming import DEFAULT, Chunking, text_pieces, token_chunks
from curation.train.infer.tokenizers import Reference, Tokenizers, VoiceSample

log = logging.getLogger(__name__)

TOKENS_PER_SECOND = 50
SLOW_LETTERS = 6.0
"""Letters a second of slow speech: sets how long the speech of a text may become."""
TEXT_PER_SECOND = 30  # an upper bound of text tokens, even where a token is one byte
NOTHING = np.zeros(0, np.int32)
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Transcript:
    """`complete` is false where the answer was truncated at its limit."""

    text: str
    complete: bool


class SpeechModel:
    """See the head of the file. Made by `open`."""

    def __init__(self, tokenizers: Tokenizers, engine: Backend) -> None:
        self.tokenizers, self.engine = tokenizers, engine
        self.vocabulary = tokenizers.vocabulary
        self.sampling = speech_sampling(len(self.vocabulary.streams["semantic"]))
        ends = self.vocabulary.markers["end_content"], self.vocabulary.end
        self.text_ids = Allowed(range(self.vocabulary.text.get_vocab_size()), ends)

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        device: str = "cpu",
        dtype: str = "",
        slots: int = 16,
        length: int = 4096,
        prepare: Prepare | None = None,
        engine: str = "",
    ) -> "SpeechModel":
        """Open a checkpoint folder, the trainer's or an official one.

        `dtype`: float32 (on a CPU), bfloat16 (elsewhere), float64, or int8: float32 with matrices in 8 bits, on an
        x86 CPU only. `slots` requests of at most `length` tokens run at once. `prepare` makes utterances of waves;
        None: as the checkpoint says. `engine`: address of a `vllm serve` of this checkpoint, which then generates
        instead of this process. Raises DataError where something is missing or does not fit, ConfigError for int8
        elsewhere and for an engine that cannot be asked, ServiceError for one that does not answer.
        """
        parts = find_parts(Path(folder).expanduser())
        vocabulary = parts.vocabulary()
        if engine and dtype:
            msg = f"--engine: the server has the weights, which cannot be {dtype} here: leave out one of both"
            raise ConfigError(msg)
        if engine:
            backend = connect(engine, vocabulary, slots, length)
        else:
            backend = _local(parts.model, vocabulary, slots, length, dtype, device)
        how = prepare or preparation_for(parts.tokenizers.denoise, parts.tokenizers.cuts)
        return cls(Tokenizers(parts, vocabulary, device, how), backend)

    @property
    def content(self) -> ContentTokenizer:
        """The second tokenizer of ASR, besides the codec."""
        return self.tokenizers.content

    @property
    def codec(self) -> CodecTokenizer:
        """The codec, for input and output."""
        return self.tokenizers.codec

    @cached_property
    def speech_ids(self) -> Allowed:
        """Ids that TTS and VC may answer with."""
        stream = self.vocabulary.streams["semantic"]
        return Allowed(range(stream.start, stream.start + self.codec.semantic_size), (self.vocabulary.end,))

    def transcribe(self, waves: Sequence[Wave], sampling: Sampling = GREEDY) -> list[str]:
        """Text of each wave; waves of any length."""
        return [transcript.text for transcript in self.transcripts(waves, sampling)]

    def transcripts(self, waves: Sequence[Wave], sampling: Sampling = GREEDY) -> list[Transcript]:
        """As `transcribe`, and whether each is complete."""
        pieces = [self._pieces(wave) for wave in waves]
        answers = iter(self.engine.run(self._hearing([piece for row in pieces for piece in row], sampling)))
        out = []
        for row in pieces:
            own = [next(answers) for _ in row]
            complete = sum(self._ended(answer, "transcription") for answer in own) == len(own)
            texts = [self.vocabulary.text_of(np.array(answer.ids, np.int32)) for answer in own]
            out.append(Transcript(join_texts(texts), complete))
        return out

    def transcribe_stream(self, wave: Wave, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Text of a wave as it comes, in whole characters."""
        said = ""
        for piece in self._pieces(wave):
            answer = self.engine.submit(self._hearing([piece], sampling)[0])
            first = True
            for text in text_pieces(self.engine.follow(answer), self.vocabulary):
                new = join_texts([said[-1:], text])[len(said[-1:]) :] if first else text
                first, said = False, said + new
                yield new
            self._ended(answer, "transcription")

    def speak(
        self,
        texts: Sequence[str],
        references: Sequence[Reference],
        sampling: Sampling | None = None,
        languages: Sequence[str] = ("",),
        transcripts: Sequence[str] = ("",),
    ) -> list[Wave]:
        """Speech of each text in the voice of its reference.

        `languages`: that of each text, or of all, by which it is spelled out (`curation.text.spoken`). `transcripts`:
        what each reference says, or all; empty where it is not known.
        """
        said = _for_each(transcripts, len(references), "transcripts", "references")
        samples = [self.voice_sample(*pair) for pair in zip(references, said, strict=True)]
        voices = _for_each(samples, len(texts))
        read_as = _for_each(languages, len(texts), "languages")
        asked = [
            [self._saying(piece, voice, language, sampling) for piece in spoken_pieces(text, language)]
            for text, voice, language in zip(texts, voices, read_as, strict=True)
        ]
        flat = [request for row in asked for request in row]
        return self._sound(flat, [len(row) for row in asked], [voice.ids for voice in voices], "speech")

    def convert(
        self, sources: Sequence[Wave], references: Sequence[Reference], sampling: Sampling | None = None
    ) -> list[Wave]:
        """Each source said in the voice of its reference."""
        voices = _for_each([self.voice(reference) for reference in references], len(sources))
        pieces = [self._pieces(wave) for wave in sources]
        flat = self._turning([piece for row in pieces for piece in row], _repeated(voices, pieces), sampling)
        return self._sound(flat, [len(row) for row in pieces], voices, "conversion")

    def speak_stream(
        self,
        text: str,
        reference: Reference,
        sampling: Sampling | None = None,
        chunking: Chunking = DEFAULT,
        language: str = "",
        transcript: str = "",
    ) -> Iterator[Wave]:
        """Chunks of speech as soon as there are tokens for them; they join to what `speak` gives (see `Chunking`)."""
        voice = self.voice_sample(reference, transcript)
        requests = (self._saying(piece, voice, language, sampling) for piece in spoken_pieces(text, language))
        yield from self._sound_stream(requests, voice.ids, chunking, "speech")

    def convert_stream(
        self, source: Wave, reference: Reference, sampling: Sampling | None = None, chunking: Chunking = DEFAULT
    ) -> Iterator[Wave]:
        """Chunks of converted speech, as `speak_stream` gives them of speech."""
        voice = self.voice(reference)
        requests = (self._turning([piece], [voice], sampling)[0] for piece in self._pieces(source))
        yield from self._sound_stream(requests, voice, chunking, "conversion")

    def voice(self, reference: Reference) -> Ids:
        """Global ids of a reference; give these to the other calls to encode it only once.

        Raises DataError where it is neither a wave of floats nor the global ids of one.
        """
        return self.tokenizers.voice(reference)

    def voice_sample(self, reference: Reference, transcript: str = "") -> VoiceSample:
        """A reference with what is said in it; give it to `speak` to encode the recording only once.

        Raises DataError as `voice` does, and where a transcript is not of a recording of one utterance.
        """
        return self.tokenizers.sample(reference, transcript)

    def _pieces(self, wave: Wave) -> list[Wave]:
        return [piece for utterance in self.tokenizers.utterances(wave) for piece in split_audio(utterance)]

    def _hearing(self, pieces: Sequence[Wave], sampling: Sampling) -> list[Request]:
        content, codec = self.content.encode(pieces), self.codec.encode(pieces)
        limits = [32 + round(TEXT_PER_SECOND * len(piece) / SAMPLE_RATE) for piece in pieces]
        examples = [Asr(glm, tokens.semantic, "") for glm, tokens in zip(content, codec, strict=True)]
        return [self._request(*pair, self.text_ids, sampling) for pair in zip(examples, limits, strict=True)]

    def _saying(self, text: str, voice: VoiceSample, language: str, sampling: Sampling | None) -> Request:
        limit = round(TOKENS_PER_SECOND * (size_of(text) / SLOW_LETTERS + 2))
        example: Example | Clone = Tts(voice.ids, text, NOTHING)
        if voice.transcript:
            both = join_texts([spoken(voice.transcript, language), text])
            example = Clone(voice.ids, both, voice.semantic)
        return self._request(example, limit, self.speech_ids, sampling)

    def _turning(self, pieces: Sequence[Wave], voices: Sequence[Ids], sampling: Sampling | None) -> list[Request]:
        sources = [tokens.semantic for tokens in self.codec.encode(pieces)]
        return [
            self._request(Vc(voice, source, NOTHING), 2 * len(source) + TOKENS_PER_SECOND, self.speech_ids, sampling)
            for source, voice in zip(sources, voices, strict=True)
        ]

    def _request(self, example: Example | Clone, limit: int, allowed: Allowed, sampling: Sampling | None) -> Request:
        return Request(encode(example, self.vocabulary).prompt, allowed, limit, sampling or self.sampling)

    def _sound(
        self, requests: Sequence[Request], counts: Sequence[int], voices: Sequence[Ids], what: str
    ) -> list[Wave]:
        answers = self.engine.run(requests)
        for answer in answers:
            self._ended(answer, what)
        owners = _repeated(voices, [range(count) for count in counts])
        codes = (self._codes(answer.ids) for answer in answers)
        waves = iter(self.codec.decode([CodecTokens(*pair) for pair in zip(codes, owners, strict=True)]))
        joined = (join_waves([next(waves) for _ in range(count)]) for count in counts)
        return [next(levelled([wave])) for wave in joined]

    def _sound_stream(self, requests: Iterable[Request], voice: Ids, chunking: Chunking, what: str) -> Iterator[Wave]:
        def piece(request: Request) -> Iterator[Wave]:
            look_aheads = chunking.look_aheads(self.codec)
            answer = self.engine.submit(request)
            try:
                ids = token_chunks(self.engine.follow(answer), chunking, look_aheads)
                yield from self.codec.decode_stream(map(self._codes, ids), voice, *look_aheads)
            finally:  # where the codec fails before it takes an id, nobody follows the answer
                self.engine.cancel(answer)
            self._ended(answer, what)

        yield from levelled(join_streams(map(piece, requests)))

    def _codes(self, ids: Sequence[int] | Ids) -> Ids:
        return self.vocabulary.codes("semantic", np.array(ids, np.int32))

    def _ended(self, answer: Answer, what: str) -> bool:
        if answer.finished == "limit":
            reached = "%s reached its limit of %d tokens (set by the length of its input) and is truncated there"
            log.warning(reached, what, len(answer.ids))
        return answer.finished == "end"


def _repeated(voices: Sequence[Ids], rows: Sequence[Sequence[object]]) -> list[Ids]:
    return [voice for voice, row in zip(voices, rows, strict=True) for _ in row]


def _for_each(given: Sequence[Given], count: int, what: str = "references", of: str = "items") -> list[Given]:
    """What is given for each of `count` items, where one may serve all. Raises ValueError for another number."""
    if len(given) not in {1, count}:
        msg = f"{len(given)} {what} for {count} {of}: give one for each, or one for all"
        raise ValueError(msg)
    return [*given] * count if len(given) == 1 else [*given]


def _local(model: Path, vocabulary: Vocabulary, slots: int, length: int, dtype: str, device: str) -> Backend:
    """The engine of this process."""
    from curation.train.infer.engine import Engine
    from curation.train.infer.qwen3 import Qwen3Decoder
    from curation.train.infer.weights import precision

    decoder = Qwen3Decoder.load(model, precision(dtype, device), device, int8=dtype == "int8")
    if decoder.sizes.vocabulary < vocabulary.size:
        sizes = f"vocab_size {decoder.sizes.vocabulary}, the tokenizer files {vocabulary.size}"
        msg = f"{model}: config.json has {sizes}"
        raise DataError(msg)
    return Engine(decoder, slots, length)
