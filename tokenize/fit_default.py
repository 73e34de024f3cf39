r"""Fits the tokenizers as the shipped files of tokenize/data were, on the corpus of tokenize/fit_corpus.py.

The shipped codec was fitted before MIN_SPREAD and the range of the globals were widened (tokenize/speaker.py): a new
run follows the same recipe, and does not give the same bytes.

apt-get install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts festlex-cmu \
    festlex-poslex fortunes
pip install --no-deps hibari-tts==0.2.1
python -m curation.tokenize.fit_default WORK_FOLDER
"""

import logging
import sys
from pathlib import Path

from curation.tokenize.fit import fit
from curation.tokenize.fit_corpus import corpus, make_corpus, transcribed
from curation.tokenize.phones import fit_projection


def main(folder: Path) -> None:
    """Write the waves to `folder`/corpus (kept for the next time) and the fitted files to `folder`/fitted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    make_corpus(folder / "corpus")
    projection = fit_projection(transcribed(folder / "corpus"))
    for file, digest in fit(corpus(folder / "corpus"), folder / "fitted", projection=projection).items():
        sys.stdout.write(f"{file} {digest}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
