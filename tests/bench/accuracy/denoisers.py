"""Which denoiser helps most on real speech with noise? DNSMOS before and after, and the distance to the clean speech.

    python -m tests.bench.accuracy.denoisers [--snr 5]

20 s of the two_cities reading and the five LibriVox sentences, with noise that is steady (white, pink), or not
(another speaker's babble: six voices at once), at 0, 5, 10 and 20 dB. SI-SDR in dB against the speech without noise.
"""

import argparse
import time

import numpy as np

from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.denoise.registry import DENOISERS
from curation.stages.quality.dnsmos import Dnsmos
from tests.support.dummies import mix, noise
from tests.support.real_speech import BECKETT, SAMPLE, TWO_CITIES, librivox, wave

SNRS = (0, 5, 10, 20)
SECONDS = 20


def pink(samples: int) -> Wave:
    """Noise whose power falls with the frequency."""
    spectrum = np.fft.rfft(noise(samples / SAMPLE_RATE, seed=1)[:samples])
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), samples).astype(np.float32)


def babble(samples: int) -> Wave:
    """Six stretches of speech at once."""
    whole = np.concatenate([wave(SAMPLE), wave(BECKETT), wave(TWO_CITIES)[25 * SAMPLE_RATE :]])
    return sum(np.roll(np.resize(whole, samples), part * 5 * SAMPLE_RATE + part) for part in range(6))


def si_sdr(estimate: Wave, clean: Wave) -> float:
    """Scale-invariant signal-to-distortion ratio in dB."""
    target = clean * (estimate @ clean) / (clean @ clean)
    return float(10 * np.log10((target @ target) / np.sum((estimate - target) ** 2)))


def row(name: str, waves: list[Wave], clean: list[Wave], dnsmos: Dnsmos) -> str:
    """Mean scores of one system."""
    scores = [dnsmos.score(peak_normalize(one), 2) for one in waves]
    ovrl, sig, bak = (np.mean([getattr(score, key) for score in scores]) for key in ("ovrl", "sig", "bak"))
    sdr = np.mean([si_sdr(one, other) for one, other in zip(waves, clean, strict=True)])
    return f"  {name:16} OVRL {ovrl:.2f}  SIG {sig:.2f}  BAK {bak:.2f}  SI-SDR {sdr:5.1f} dB"


def main() -> None:
    """Print a block for each noise and SNR, and the speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snr", type=float, nargs="+", default=SNRS, help="in dB")
    snrs = parser.parse_args().snr
    dnsmos = Dnsmos()
    clean = [wave(TWO_CITIES)[: SECONDS * SAMPLE_RATE], *librivox()]
    systems = {name: DENOISERS[name]() for name in DENOISERS}
    for system in systems.values():
        system.load()
    spent = dict.fromkeys(systems, 0.0)
    print("clean\n" + row("", clean, clean, dnsmos))
    for kind, make in (("white", lambda n: noise(n / SAMPLE_RATE)[:n]), ("pink", pink), ("babble", babble)):
        for snr in snrs:
            print(f"{kind} {snr:g} dB")
            noisy = [peak_normalize(mix(one, make(len(one)), snr)) for one in clean]
            print(row("as it is", noisy, clean, dnsmos))
            for name, system in systems.items():
                start = time.perf_counter()
                waves = [system.denoise(one) for one in noisy]
                spent[name] += time.perf_counter() - start
                print(row(name, waves, clean, dnsmos), flush=True)
    seconds = sum(map(len, clean)) / SAMPLE_RATE * 3 * len(snrs)
    for name, value in spent.items():
        print(f"{name}: {seconds / value:.0f} x real time")


if __name__ == "__main__":
    main()
