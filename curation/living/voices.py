"""Finds the voices of a corpus: who is heard in several of its recordings.

    found = find_voices("corpus")      # members are in voices/members.parquet

Only stored embeddings are read. Speakers that have a voice keep it, so that an append adds to what is known. In memory
are a shard's embeddings, the distances within a block, a centroid of each voice, and the name of each speaker.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from curation.core.storage import Storage
from curation.manifests.index import published_index
from curation.manifests.plan import Plan, read_plan
from curation.manifests.voices.clusters import THRESHOLD, Speaker, Voices
from curation.manifests.voices.files import Members, heard, published_count, read_members, write_members
from curation.pipeline.guard.lock import held

BLOCK = 2000
"""Speakers whose distances to each other are in memory at once, 32 MB, but for those of their last recording."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a corpus has now."""

    voices: int
    speakers: int
    new: int
    """Speakers that had no voice before."""


def find_voices(
    root: str,
    threshold: float = THRESHOLD,
    *,
    anew: bool = False,
    wait_seconds: float = 0.0,
    force_unlock: bool = False,
) -> Found:
    """Give every speaker a voice. `anew`: forget those of before, whose numbers are not given again.

    Raises ConfigError where there is no corpus, DataError where what is known of it is damaged.
    """
    out = Storage(root)
    published_index(out)  # before the lock, which would make a folder
    with held(out, uuid.uuid4().hex, wait_seconds=wait_seconds, force=force_unlock) as lock:
        corpus, planned = published_index(out), read_plan(out)
        compared = Plan(out, planned.generations[: corpus.planned])
        before = Members(count=published_count(out, corpus)) if anew else read_members(out, compared)
        voices, numbers = Voices(before.count), dict[tuple[str, str], int]()
        for speaker in heard(out, corpus) if before.numbers else ():
            if speaker.key in before.numbers:
                numbers[speaker.key] = before.numbers[speaker.key]
                voices.add(speaker, numbers[speaker.key])
        taken: dict[str, set[int]] = defaultdict(set)
        for (recording, _), number in numbers.items():
            taken[recording].add(number)
        for block in blocks(speaker for speaker in heard(out, corpus) if speaker.key not in before.numbers):
            numbers |= voices.assign(block, threshold, taken)
        lock.fence()
        write_members(out, Members(numbers, voices.count), corpus.planned)
    known = before.numbers.keys() & numbers.keys()
    return Found(len({*numbers.values()}), len(numbers), len(numbers) - len(known))


def blocks(speakers: Iterable[Speaker], size: int = BLOCK) -> Iterator[list[Speaker]]:
    """Speakers of whole recordings, at least `size` of them together."""
    block: list[Speaker] = []
    for speaker in speakers:
        if len(block) >= size and speaker.recording != block[-1].recording:
            yield block
            block = []
        block.append(speaker)
    if block:
        yield block
