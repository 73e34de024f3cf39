r"""Fits the tokenizers as for the files in tokenize/compact/data, on the corpus of tokenize/fit/shipped_corpus.py.

An hour on one core. The result is the same, byte for byte, where programs, voices, libraries and the instructions of
the CPU are the same; the shipped files come from Debian 12 on an AMD EPYC without AVX-512.

apt-get install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts festlex-cmu \
    festlex-poslex fortunes
pip install --no-deps hibari-tts==0.2.1
python -m curation.tokenize.fit WORK_FOLDER
"""

import logging
import sys
from pathlib import Path

from curation.tokenize.fit.pair import fit
from curation.tokenize.fit.phone_projection import fit_projection
from curation.tokenize.fit.settings import FitSettings
from curation.tokenize.fit.shipped_corpus import corpus, make_corpus, transcribed

SETTINGS = FitSettings(consistency=0.0)
"""The shipped codec was fitted before its codes were made consistent."""


def main(folder: Path) -> None:
    """Write the waves to `folder`/corpus (kept for the next time) and the fitted files to `folder`/fitted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    make_corpus(folder / "corpus")
    projection = fit_projection(transcribed(folder / "corpus"))
    for file, digest in fit(corpus(folder / "corpus"), folder / "fitted", SETTINGS, projection=projection).items():
        sys.stdout.write(f"{file} {digest}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
