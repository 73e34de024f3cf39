"""Inputs of DeepFilterNet's networks and use of their outputs: spectra, ERB bands, features, deep filters.

Source: DeepFilterNet 0.5.6, `libDF/src/lib.rs` (windows, bands, normalisation), `df/deepfilternet3.py` and
`df/multiframe.py` (look-ahead, filtering).
"""

import configparser
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.audio.wave import Wave

Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

BLOCK = 2048
"""Frames that are transformed at once, to save memory."""
ERB_STATE = (-60.0, -90.0)
LOW_STATE = (0.001, 0.0001)
"""Where the running means start, in the first and in the last band."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The part of the model's config.ini that defines its inputs and outputs."""

    sr: int
    fft_size: int
    hop_size: int
    nb_erb: int
    min_nb_erb_freqs: int
    nb_df: int
    df_order: int
    df_lookahead: int
    conv_lookahead: int
    norm_tau: float

    @classmethod
    def read(cls, text: str) -> "Settings":
        """From the text of config.ini. Raises KeyError or ValueError where a value is missing or wrong."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text)
        df, net = parser["df"], parser["deepfilternet"]
        found = cls(
            sr=int(df["sr"]),
            fft_size=int(df["fft_size"]),
            hop_size=int(df["hop_size"]),
            nb_erb=int(df["nb_erb"]),
            min_nb_erb_freqs=int(df["min_nb_erb_freqs"]),
            nb_df=int(df["nb_df"]),
            df_order=int(df["df_order"]),
            df_lookahead=int(df["df_lookahead"]),
            conv_lookahead=int(net["conv_lookahead"]),
            norm_tau=float(df["norm_tau"]),
        )
        if found.fft_size != 2 * found.hop_size:
            msg = f"fft_size {found.fft_size} is not twice hop_size {found.hop_size}"
            raise ValueError(msg)
        return found

    @property
    def alpha(self) -> float:
        """Forgetting factor of the running means, rounded as in training (0.99 for one second)."""
        exact = float(np.exp(-self.hop_size / self.sr / self.norm_tau))
        return next(rounded for digits in range(3, 16) if (rounded := round(exact, digits)) < 1)

    def window(self) -> Floats:
        """Vorbis window: its squares, half overlapped, add up to one."""
        sine = np.sin(np.pi * (np.arange(self.fft_size) + 0.5) / self.fft_size)
        return np.sin(0.5 * np.pi * sine**2).astype(np.float32)

    def erb_widths(self) -> NDArray[np.int64]:
        """Bins in each ERB band, at least `min_nb_erb_freqs`; they add up to all bins."""
        highest = 9.265 * np.log1p(self.sr / 2 / (24.7 * 9.265))
        edges = 24.7 * 9.265 * np.expm1(highest * np.arange(1, self.nb_erb + 1) / self.nb_erb / 9.265)
        widths, before, over = [], 0, 0
        for edge in np.floor(edges / (self.sr / self.fft_size) + 0.5).astype(int):
            wanted = int(edge) - before - over
            widths.append(max(wanted, self.min_nb_erb_freqs))
            over = widths[-1] - wanted
            before = int(edge)
        widths[-1] += self.fft_size // 2 + 1 - sum(widths)
        return np.array(widths)


def analyse(wave: Wave, settings: Settings) -> Spectrum:
    """Frames (time, bins) of a wave padded with silence; frame t covers the hops t - 1 and t."""
    hop = settings.hop_size
    frames = -(-len(wave) // hop) + 2
    padded = np.pad(wave, (hop, frames * hop - len(wave)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop]
    spectrum = np.empty((frames, hop + 1), np.complex64)
    for begin in range(0, frames, BLOCK):
        part = slice(begin, begin + BLOCK)
        spectrum[part] = np.fft.rfft(windows[part] * settings.window(), axis=1) / settings.fft_size
    return spectrum


def synthesise(spectrum: Spectrum, num_samples: int, settings: Settings) -> Wave:
    """The wave (num_samples,) of the frames from `analyse`."""
    hop = settings.hop_size
    frames = np.empty((len(spectrum), 2 * hop), np.float32)
    for begin in range(0, len(spectrum), BLOCK):
        part = slice(begin, begin + BLOCK)
        frames[part] = np.fft.irfft(spectrum[part], axis=1) * settings.fft_size * settings.window()
    halves = frames.reshape(len(frames), 2, hop)
    return (halves[:-1, 1] + halves[1:, 0]).reshape(-1)[:num_samples]


def features(spectrum: Spectrum, settings: Settings) -> tuple[Floats, Floats]:
    """Inputs of the encoder: band levels (1, 1, time, bands), and low bins (1, 2, time, bins), real and imaginary.

    Both less, or divided by, their running mean, and `conv_lookahead` frames early.
    """
    widths = settings.erb_widths()
    power = np.add.reduceat(np.abs(spectrum) ** 2, np.cumsum(widths) - widths, axis=1) / widths
    level = 10 * np.log10(power + 1e-10)
    level = (level - _running_mean(level, ERB_STATE, settings.alpha)) / 40
    low = spectrum[:, : settings.nb_df]
    unit = low / np.sqrt(_running_mean(np.abs(low), LOW_STATE, settings.alpha))
    ahead = settings.conv_lookahead
    shift = ((0, 0), (0, ahead), (0, 0))
    levels = np.pad(level[None, ahead:], shift)[None]
    return levels.astype(np.float32), np.pad(np.stack([unit.real, unit.imag])[:, ahead:], shift)[None].astype(
        np.float32
    )


def filtered(spectrum: Spectrum, gains: Floats, filters: Floats, first: int, settings: Settings) -> Spectrum:
    """Enhanced frames from `first` on, as many as there are `gains` (time, bands).

    Low bins are filtered over `df_order` neighbouring frames of the noisy spectrum with the complex `filters`
    (time, bins, 2 · order); the others get their band's gain.
    """
    order, ahead = settings.df_order, settings.df_lookahead
    last = first + len(gains)
    enhanced = spectrum[first:last] * np.repeat(gains, settings.erb_widths(), axis=1)
    taps = filters.reshape(len(filters), settings.nb_df, order, 2)
    begin, end = first - (order - 1 - ahead), last + ahead
    near = spectrum[max(begin, 0) : end, : settings.nb_df]
    near = np.pad(near, ((max(-begin, 0), end - begin - max(-begin, 0) - len(near)), (0, 0)))
    low: Any = np.zeros((last - first, settings.nb_df), np.complex64)
    for tap in range(order):
        low += near[tap : tap + last - first] * (taps[:, :, tap, 0] + 1j * taps[:, :, tap, 1])
    enhanced[:, : settings.nb_df] = low
    return enhanced


def _running_mean(values: NDArray[np.floating], state: tuple[float, float], alpha: float) -> NDArray[np.float64]:
    """Exponential mean along time, the current frame included, with the given start in the first and last column."""
    from scipy.signal import lfilter  # a second that no other process needs

    start = np.linspace(*state, values.shape[1])
    mean, _ = lfilter([1 - alpha], [1, -alpha], values.astype(np.float64), axis=0, zi=alpha * start[None])
    return np.asarray(mean)
