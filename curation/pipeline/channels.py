"""Makes recordings of their own of the channels of a file, where `decode.channels` says so."""

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from curation.manifests.inputs.listing import Input, inputs_on_disk
from curation.manifests.inputs.rows import CHANNEL_MARK
from curation.stages.decode.stage import DecodeConfig, recordings_in

OPEN_AT_ONCE, GROUP = 16, 256


def by_channel(found: Iterable[Input], config: DecodeConfig) -> Iterable[Input]:
    """The inputs sorted by id, with one for each channel instead of a file that is split. Files are opened for it.

    One that cannot be read stays whole: it fails when it is decoded.
    """
    if config.channels == "mix":
        return found
    split, waiting = inputs_on_disk(), iter(found)
    with ThreadPoolExecutor(OPEN_AT_ONCE) as pool:
        while group := list(itertools.islice(waiting, GROUP)):
            counts = pool.map(lambda item: recordings_in(item.source, config), group)
            for item, count in zip(group, counts, strict=True):
                for part in _parts(item, count):
                    split.add(part)
    return split


def _parts(item: Input, count: int) -> Iterator[Input]:
    if count == 1:
        yield item
        return
    for channel in range(count):
        identifier = f"{item.source.id}{CHANNEL_MARK}{channel}"
        yield replace(item, source=replace(item.source, id=identifier, channel=channel))
