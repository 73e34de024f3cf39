"""Which recordings a page may open: those below folders and URLs that its writer has named, whatever the corpus says.

A corpus of strangers may name any file of this machine, and any host. What `places` lists is what it names, to be
shown to a person; only what that person agrees to is `openable`.
"""

import os
from collections.abc import Sequence

from curation.audit.corpus import Corpus
from curation.manifests.inputs.allowed import is_below, local

MOST = 8
"""Places that are listed; of more, their parents."""


def places(corpus: Corpus) -> list[str]:
    """Folders and URLs that hold all recordings of the corpus, sorted."""
    rows = corpus.database.execute(
        "SELECT DISTINCT regexp_replace(path, '/[^/]*$', '') FROM segments WHERE path LIKE '%/%'"
    ).fetchall()
    found = {row[0].rpartition("::")[2] for row in rows}  # an archive in `zip://a.wav::/data/all.zip`
    while len(found) > MOST and (deep := [place for place in found if _depth(place) > 1]):
        deepest = max(deep, key=lambda place: (_depth(place), place))
        found = (found - {deepest}) | {deepest.rpartition("/")[0]}
    return sorted(place for place in found if place)


def openable(path: str, allowed: Sequence[str]) -> bool:
    """Whether a recording may be opened: it, and what a link at its place leads to, are below what is allowed."""
    where = local(path)
    if where is None:
        return is_below(path, allowed)
    real = [os.path.realpath(prefix) if (prefix := local(item)) is not None else item for item in allowed]
    return is_below(os.path.realpath(where), real)


def _depth(place: str) -> int:
    """How many folders lie above, and the host of a URL."""
    return place.partition("://")[2].count("/") + 1 if "://" in place else place.count("/")
