"""The corpus of the shipped tokenizers: how its files are read, and that the shipped files have its settings."""

import numpy as np
import soundfile

from curation.tokenize.compact.codec import CompactCodec
from curation.tokenize.compact.content import CompactContent
from curation.tokenize.fit.__main__ import SETTINGS
from curation.tokenize.fit.shipped_corpus import REAL_REPEATS, TRANSCRIBED_PER_VOICE, corpus, transcribed


def write(path, seconds, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(int(seconds * rate)) / 7), rate)
    path.with_suffix(".txt").write_text(f"text of {path.parent.name} {path.stem}")


def test_the_shipped_files_have_the_sizes_of_the_settings():
    assert CompactCodec().semantic_size == SETTINGS.codes
    assert CompactContent().codebook_size == SETTINGS.content_codes


def test_files_are_read_in_order_at_16_khz_and_real_speech_several_times(tmp_path):
    write(tmp_path / "flite-awb" / "0001.wav", 0.5)
    write(tmp_path / "espeak-de+f3" / "0000.wav", 0.25)
    waves = list(corpus(tmp_path))
    assert [len(wave) for wave in waves[:2]] == [4000, 8000]
    real = waves[2:]
    assert len(real) == 3 * REAL_REPEATS
    assert all(wave.dtype == np.float32 for wave in waves)
    assert all(np.array_equal(real[i], real[i + 3]) for i in range(3))


def test_only_the_better_voices_and_their_first_sentences_have_transcripts(tmp_path):
    for number in range(TRANSCRIBED_PER_VOICE + 2):
        write(tmp_path / "flite-rms" / f"{number:04}.wav", 0.01)
    write(tmp_path / "espeak-fr+m2" / "0000.wav", 0.01)
    pairs = list(transcribed(tmp_path))
    assert [text for _, text in pairs] == [f"text of flite-rms {i:04}" for i in range(TRANSCRIBED_PER_VOICE)]
