"""Round trip of the compact tokenizers on speech that they were not fitted on.

    python -m tests.bench.accuracy.tokenizer_round_trip [FOLDER_OF_WAVES ...]

For each test set: WER (Whisper base) of the original and of speech decoded from its own tokens, similarity of the
speaker embeddings (CAM++; GE2E in results before 27 November), what swapping the global tokens does, codes used, bits
per second, speed on one thread; and
the same for speech that goes through the vocoder alone (no quantisation: the ceiling). Where there is no transcript
the reference is what Whisper base hears in the original. LibriVox: Debian's pocketsphinx-testdata.
"""

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
from tokenizers import Tokenizer

from curation.audio.files import read_wave
from curation.models.store import resolve
from curation.tokenize.base import CodecTokens
from curation.tokenize.compact.codec import CompactCodec, num_semantic
from curation.tokenize.compact.content import CompactContent
from curation.tokenize.compact.features import log_mel, pitch
from curation.tokenize.compact.vocoder import vocode
from tests.bench.inputs.round_trip_measures import errors, heard, similarity, words

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")


@dataclass
class Clip:
    wave: np.ndarray
    reference: list[str]
    original: list[str]


def clip(wave, text=None):
    original = heard(wave)
    return Clip(wave, words(text) if text else original, original)


def librivox():
    """Five sentences by one reader; the reader is not in the fitting data."""
    found = re.findall(r"<s> (.*) </s> \((.*)\)", (LIBRIVOX / "transcription").read_text())
    texts = {name.rpartition("/")[2]: text for text, name in found}
    return [clip(read_wave(path), texts[path.stem]) for path in sorted(LIBRIVOX.glob("*.wav"))]


def two_cities():
    """The half of moonshine-voice's monologue that was not fitted on; the speaker was."""
    wave = read_wave(resolve("pkg:moonshine_voice:assets/two_cities.wav"), start=0.5)
    return [clip(half) for half in np.array_split(wave, 2)]


def pyannote_sample():
    """Turns of a second or more in which nobody else speaks; two speakers on the telephone."""
    folder = resolve("pkg:pyannote.audio:sample")
    wave = read_wave(folder / "sample.wav")
    rows = [line.split() for line in (folder / "sample.rttm").read_text().splitlines()]
    turns = [(float(r[3]), float(r[3]) + float(r[4]), r[7]) for r in rows]
    found = []
    for start, end, speaker in turns:
        others = [(a, b) for a, b, other in turns if other != speaker and a < end and b > start]
        last = min([a for a, _ in others if a > start], default=end)
        first = max([b for _, b in others if b < end and b < last], default=start)
        if last - first >= 1.0:
            found.append(clip(wave[int(first * 16000) : int(last * 16000)]))
    return found


def rates(clips, waves):
    """WER and mean similarity of `waves` against the clips."""
    wrong = sum(errors(c.reference, heard(wave)) for c, wave in zip(clips, waves, strict=True))
    total = sum(len(c.reference) for c in clips)
    return wrong / total, np.mean([similarity(c.wave, wave) for c, wave in zip(clips, waves, strict=True)])


def through_vocoder(wave):
    count = 2 * num_semantic(len(wave))
    log_f0, voiced = pitch(wave, count)
    return vocode(log_mel(wave, count), log_f0, voiced.astype(np.float32))


def codec_row(name, clips, codec):
    waves = [c.wave for c in clips]
    seconds = sum(map(len, waves)) / 16000
    start = time.perf_counter()
    tokens = codec.encode(waves)
    encoded = time.perf_counter()
    decoded = codec.decode(tokens)
    done = time.perf_counter()
    original = sum(errors(c.reference, c.original) for c in clips) / sum(len(c.reference) for c in clips)
    wer, same = rates(clips, decoded)
    ceiling_wer, ceiling_same = rates(clips, [through_vocoder(wave) for wave in waves])
    print(
        f"| {name} | {seconds:.0f} | {original:.3f} | {ceiling_wer:.3f} | {wer:.3f} | {ceiling_same:.3f} | {same:.3f} "
        f"| {seconds / (encoded - start):.0f} | {seconds / (done - encoded):.0f} |"
    )
    return tokens


def conversion(sets, tokens, codec):
    """Semantic tokens of one voice with the globals of another: whom does the result sound like?"""
    firsts = {name: (clips[0].wave, tokens[name][0]) for name, clips in sets.items()}
    to_target, to_source, apart = [], [], []
    for a, (source, source_tokens) in firsts.items():
        for b, (target, target_tokens) in firsts.items():
            if a == b:
                continue
            wave = codec.decode([CodecTokens(source_tokens.semantic, target_tokens.global_)])[0]
            to_target.append(similarity(wave, target))
            to_source.append(similarity(wave, source))
            apart.append(similarity(source, target))
    print(
        f"\nglobals swapped: similarity to target {np.mean(to_target):.3f}, to source {np.mean(to_source):.3f}; "
        f"two different speakers {np.mean(apart):.3f}"
    )


def usage(name, ids, size, per_second):
    counts = np.bincount(ids, minlength=size)
    share = counts[counts > 0] / counts.sum()
    entropy = -(share * np.log2(share)).sum()
    print(
        f"{name}: {np.count_nonzero(counts)} of {size} codes in {len(ids)} tokens, perplexity {2**entropy:.0f}, "
        f"{per_second * np.log2(size):.0f} bits/s"
    )


def content_rows(sets, content):
    """WER of Whisper tiny.en's decoder on its encoder states: as they are, and averaged by four.

    The decoder expects 30 s: what follows the clip are the states of the padding.
    """
    model = content.states.model
    reader = Tokenizer.from_file(str(resolve("whisper-tiny.en") / "tokenizer.json"))
    prompt = [reader.token_to_id(token) for token in ("<|startoftranscript|>", "<|notimestamps|>")]

    def read(states, padding):
        whole = np.concatenate([states, padding[len(states) :]])
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(whole[None], dtype=np.float32))
        found = model.generate(view, [prompt], beam_size=1, max_length=100)
        return words(reader.decode(found[0].sequences_ids[0]))

    print("\n| content | states | averaged |\n|---|---|---|")
    for name, clips in sets.items():
        wrong, total = np.zeros(2), 0
        for c in clips:
            count = content.num_tokens(len(c.wave))
            states = content.states(c.wave, 4 * count)
            means = states.reshape(count, 4, -1).mean(axis=1)
            versions = (states, np.repeat(means, 4, axis=0))
            padding = content.states(c.wave, 1500)
            wrong += [errors(c.reference, read(version, padding)) for version in versions]
            total += len(c.reference)
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in wrong / total) + " |")


def main():
    sets = {"LibriVox": librivox(), "two_cities, 2nd half": two_cities(), "pyannote sample": pyannote_sample()}
    for folder in map(Path, sys.argv[1:]):
        sets[folder.name] = [clip(read_wave(path)) for path in sorted(folder.glob("*.wav"))]
    codec, content = CompactCodec(), CompactContent()
    print(
        "| set | s | WER original | WER vocoder | WER decoded | sim vocoder | sim decoded "
        "| encode x realtime | decode x realtime |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    tokens = {name: codec_row(name, clips, codec) for name, clips in sets.items()}
    conversion(sets, tokens, codec)
    everything = [item for items in tokens.values() for item in items]
    usage("semantic", np.concatenate([item.semantic for item in everything]), codec.semantic_size, 50)
    waves = [c.wave for clips in sets.values() for c in clips]
    usage("content", np.concatenate(content.encode(waves)), content.codebook_size, 12.5)
    content_rows(sets, content)


if __name__ == "__main__":
    main()
