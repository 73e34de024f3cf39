"""How right are signal-to-noise ratio, bandwidth and clipped share? On speech that was spoiled by a known amount.

    OMP_NUM_THREADS=1 python -m tests.bench.accuracy.quality [FOLDER]

LibriVox and two_cities (5 s pieces), and any WAV, FLAC or MP3 of FOLDER, the mixtures only with the former, whose own
noise is low. Prints mean and standard deviation of the errors, what clean recordings get, and the cost.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr

from curation.audio.files import read_wave
from curation.audio.levels import peak_normalize
from curation.audio.quality import bandwidth_hz, clipped_share, snr_db
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.quality.dnsmos import WINDOW, Dnsmos
from tests.bench.accuracy.denoisers import babble, pink
from tests.bench.inputs.speech import passages
from tests.support.dummies import mix, noise

SNRS = (-5, 0, 5, 10, 15, 20, 25, 30)
RATES = (4000, 6000, 8000, 11_025, 12_000, 14_000)
CLIPPED = (0.001, 0.005, 0.01, 0.05, 0.2)


def spread(values: list[float]) -> str:
    return f"{np.mean(values):+8.1f} ± {np.std(values):.1f}"


def quantiles(values: list[float]) -> str:
    return "  ".join(f"{value:.4g}" for value in np.quantile(values, [0, 0.1, 0.5, 0.9, 1]))


def print_errors(waves: list[Wave]) -> None:
    kinds: dict[str, Callable[[int], Wave]] = {
        "white": lambda samples: noise(samples / SAMPLE_RATE + 1)[:samples],
        "pink": pink,
        "babble": babble,
    }
    for kind, make in kinds.items():
        print(f"SNR, {kind}, error in dB (mean, standard deviation)")
        for snr in SNRS:
            print(f"  {snr:3} dB", spread([snr_db(mix(wave, make(len(wave)), snr)) - snr for wave in waves]))
    print("bandwidth, error in Hz")
    for rate in RATES:
        narrow = [soxr.resample(soxr.resample(wave, SAMPLE_RATE, rate), rate, SAMPLE_RATE) for wave in waves]
        print(f"  {rate // 2} Hz", spread([bandwidth_hz(wave) - rate / 2 for wave in narrow]))
    print("clipped at 48 kHz: share that was, and what is found (quantiles 0, 10, 50, 90, 100 %)")
    wide = [soxr.resample(wave, SAMPLE_RATE, 48_000) for wave in waves]
    for share in CLIPPED:
        found = []
        for wave in wide:
            level = np.quantile(np.abs(wave), 1 - share)
            found.append(clipped_share(soxr.resample(np.clip(wave, -level, level), 48_000, SAMPLE_RATE)))
        print(f"  {share}: ", quantiles(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    folder = parser.parse_args().folder
    waves = [wave for item in passages() if item.corpus != "sample" for wave in item.waves if len(wave) > SAMPLE_RATE]
    print_errors(waves)
    files = [path for path in sorted(folder.iterdir()) if path.suffix in {".wav", ".flac", ".mp3"}] if folder else []
    sets = {"package": waves, "folder": [read_wave(path) for path in files]}
    for name, measure in (("SNR", snr_db), ("bandwidth", bandwidth_hz), ("clipped share", clipped_share)):
        for corpus, items in sets.items():
            start = time.process_time()
            found = [measure(wave) for wave in items]
            cost = (time.process_time() - start) / max(1, sum(map(len, items)) / SAMPLE_RATE)
            if items:
                print(f"{name} of {corpus} as recorded:", quantiles(found), f"; {cost:.5f} CPU s per s")
    dnsmos, start = Dnsmos(), time.process_time()
    for wave in waves:
        dnsmos.score(peak_normalize(wave[:WINDOW]), max_windows=1)
    print(f"DNSMOS: {(time.process_time() - start) / len(waves):.3f} CPU s per utterance")


if __name__ == "__main__":
    main()
