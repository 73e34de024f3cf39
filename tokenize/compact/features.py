"""Input features of the compact tokenizers: log-mel frames, pitch, and the encoder states of Whisper tiny.

All of it runs clip by clip on one thread, so that a clip's features never depend on other clips.
Frame j is centred on sample 160·j + 80; Whisper's state i covers samples 320·i to 320·(i + 1).
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.models.store import resolve
from curation.models.threads import load_apart

Floats = npt.NDArray[np.float32]

HOP, WINDOW, FFT, NUM_MELS = 160, 400, 1024, 64
FLOOR = 1e-5
STATES_SIZE = 384
STATE_SAMPLES = 320
CHUNK_SAMPLES = 30 * SAMPLE_RATE
MIN_F0, MAX_F0 = 60.0, 420.0
F0_WINDOW = 640


@cache
def mel_filters() -> Floats:
    """Triangular filters on the mel scale 2595·log10(1 + f/700), 40 Hz to 8 kHz, shape (NUM_MELS, FFT/2 + 1)."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    bottom = 2595 * np.log10(1 + 40 / 700)
    edges = 700 * (10 ** (np.linspace(bottom, top, NUM_MELS + 2) / 2595) - 1)
    bins = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(filters / filters.sum(axis=1, keepdims=True), dtype=np.float32)


def frames(wave: Wave, count: int, size: int) -> Floats:
    """`count` windows of `size` samples, centred on 160·j + 80; zeros beyond the ends. Shape (count, size)."""
    half = size // 2
    padded = np.zeros((count - 1) * HOP + size + HOP, np.float32)
    before = half - HOP // 2
    used = min(len(wave), len(padded) - before)
    padded[before : before + used] = wave[:used]
    return np.lib.stride_tricks.sliding_window_view(padded, size)[: count * HOP : HOP]


def log_mel(wave: Wave, count: int) -> Floats:
    """Natural log of the mel magnitudes, floor 1e-5; shape (count, NUM_MELS)."""
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    spectrum = np.abs(np.fft.rfft(frames(wave, count, WINDOW) * window, FFT)).astype(np.float32)
    return np.asarray(np.log(np.maximum(spectrum @ mel_filters().T, FLOOR)), np.float32)


def pitch(wave: Wave, count: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Natural log of f0 (interpolated through unvoiced frames) and voicing, each of shape (count,).

    Normalised autocorrelation over 40 ms, candidates on a log grid (24 an octave), and the best path through them
    (Viterbi; leaving a pitch costs by distance, being unvoiced costs a constant).
    """
    grid = MIN_F0 * 2 ** (np.arange(int(24 * np.log2(MAX_F0 / MIN_F0)) + 1) / 24)
    score = _periodicity(wave, count, grid)
    path = _best_path(score)
    voiced = path < len(grid)
    if not voiced.any():
        return np.full(count, np.log(120.0), np.float32), voiced
    at = np.flatnonzero(voiced)
    log_f0 = np.interp(np.arange(count), at, np.log(grid[path[at]]))
    return log_f0.astype(np.float32), voiced


def _periodicity(wave: Wave, count: int, grid: npt.NDArray[np.float64]) -> Floats:
    """Normalised autocorrelation at the period of each candidate, shape (count, len(grid))."""
    longest = int(SAMPLE_RATE / MIN_F0) + 2
    size = F0_WINDOW + longest
    block = frames(wave, count, size).astype(np.float32)
    block = block - block.mean(axis=1, keepdims=True)
    fft = 2048
    head = np.fft.rfft(block[:, :F0_WINDOW], fft)
    cross = np.fft.irfft(np.conj(head) * np.fft.rfft(block, fft), fft)[:, : longest + 1]
    power = np.concatenate([np.zeros((count, 1)), np.cumsum(block.astype(np.float64) ** 2, axis=1)], axis=1)
    energy = power[:, F0_WINDOW:] - power[:, : size - F0_WINDOW + 1]
    energy = energy[:, : longest + 1]
    quiet = 1e-4 * float(np.max(energy, initial=1e-6))  # keeps near-silence from looking periodic
    normal = cross / np.sqrt(energy[:, :1] * energy + quiet**2 + 1e-8)
    lag = SAMPLE_RATE / grid
    low = lag.astype(int)
    part = (lag - low).astype(np.float32)
    return np.asarray(normal[:, low] * (1 - part) + normal[:, low + 1] * part, np.float32)


def _best_path(
    score: Floats, unvoiced: float = 0.45, switch: float = 0.35, slope: float = 0.06
) -> npt.NDArray[np.int64]:
    """Viterbi over candidates plus one unvoiced state (the last index); octave-down errors cost a little."""
    count, size = score.shape
    bias = 0.02 * np.arange(size) / 24
    gain = np.concatenate([score + bias, np.full((count, 1), unvoiced)], axis=1)
    jump = np.zeros((size + 1, size + 1))
    distance = np.abs(np.arange(size)[:, None] - np.arange(size)[None])
    jump[:size, :size] = slope * np.maximum(0, distance - 1)
    jump[size, :size] = jump[:size, size] = switch
    best = gain[0]
    back = np.zeros((count, size + 1), np.int64)
    for t in range(1, count):
        total = best[:, None] - jump
        back[t] = total.argmax(axis=0)
        best = total.max(axis=0) + gain[t]
    path = np.empty(count, np.int64)
    path[-1] = best.argmax()
    for t in range(count - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path


@cache
def whisper_states() -> "WhisperStates":
    """Load the encoder once in a process: both tokenizers use it."""
    return WhisperStates()


class WhisperStates:
    """Encoder states of Whisper tiny.en (CTranslate2, float32, one thread), 50 a second.

    Clips run one by one at their own length, in chunks of 30 s: states depend on the clip alone.
    """

    def __init__(self) -> None:
        import ctranslate2
        from faster_whisper.feature_extractor import FeatureExtractor

        folder = str(resolve("whisper-tiny.en"))
        self.model = load_apart(
            lambda: ctranslate2.models.Whisper(folder, "cpu", compute_type="float32", intra_threads=1)
        )
        self.extractor = FeatureExtractor()

    def __call__(self, wave: Wave, count: int) -> Floats:
        """Give the first `count` states, shape (count, STATES_SIZE); the clip is padded with zeros as far as needed."""
        per_chunk = CHUNK_SAMPLES // STATE_SAMPLES
        out = []
        for first in range(0, count, per_chunk):
            size = min(per_chunk, count - first)
            start = first * STATE_SAMPLES
            out.append(self._chunk(wave[start : start + size * STATE_SAMPLES], size))
        return np.concatenate(out) if out else np.zeros((0, STATES_SIZE), np.float32)

    def _chunk(self, wave: Wave, size: int) -> Floats:
        import ctranslate2

        padded = np.zeros(size * STATE_SAMPLES, np.float32)
        padded[: len(wave)] = wave
        mel = self.extractor(padded, padding=HOP)[:, : 2 * size]
        mel = np.ascontiguousarray(mel[None], dtype=np.float32)
        states = self.model.encode(ctranslate2.StorageView.from_array(mel))
        return np.asarray(np.array(states)[0], np.float32)
