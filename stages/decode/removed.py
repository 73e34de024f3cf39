"""Refuses recordings whose samples were removed from the corpus before, whatever they are called now.

They are decoded once more for that, and only where a corpus has tombstones: a recording of hours is known by its last
sample, and nothing of it may be kept before.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from curation.manifests.records import Recording, Verdict
from curation.manifests.removals.tombstones import REASON, Tombstones


def unless_removed(decode: Callable[[], Iterator[Recording]], removed: Tombstones) -> Iterator[Recording]:
    """The spans of a source; one rejected row without audio where its samples are those of a removed recording."""
    if removed.stones:
        last: Recording | None = None
        for last in decode():
            last.release()
        if last is not None and removed.of_pcm(last.media.pcm) is not None:
            media, verdict = replace(last.media, pcm=""), Verdict("rejected", REASON, detail="it was removed before")
            yield Recording(last.source, media, num_samples=last.end, verdict=verdict)
            return
    yield from decode()
