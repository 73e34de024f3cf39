"""Makes recordings of their own of the channels of a file, where `decode.channels` says so."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from curation.core.file_state import is_other_content
from curation.manifests.inputs.listing import Input
from curation.manifests.inputs.rows import CHANNEL_MARK
from curation.manifests.records import Source
from curation.stages.decode.stage import DecodeConfig, recordings_in

OPEN_AT_ONCE = 16


def by_channel(found: Iterable[Input], known: Mapping[str, Source], config: DecodeConfig) -> list[Input]:
    """The inputs, sorted by id, with one for each channel instead of a file that is split.

    Files that the plan does not know are opened. One that cannot be read stays whole: it fails when it is decoded.
    """
    inputs = list(found)
    if config.channels == "mix":
        return inputs
    with ThreadPoolExecutor(OPEN_AT_ONCE) as pool:
        counts = pool.map(lambda item: _count(item.source, known, config), inputs)
        split = [part for item, count in zip(inputs, counts, strict=True) for part in _parts(item, count)]
    return sorted(split, key=lambda item: item.source.id)


def _parts(item: Input, count: int) -> Iterator[Input]:
    if count == 1:
        yield item
        return
    for channel in range(count):
        identifier = f"{item.source.id}{CHANNEL_MARK}{channel}"
        yield replace(item, source=replace(item.source, id=identifier, channel=channel))


def _count(source: Source, known: Mapping[str, Source], config: DecodeConfig) -> int:
    """How many recordings a source is: as the plan says, if the file is the same, else as it holds."""
    if source.channel is not None or _is_same(known.get(source.id), source):
        return 1
    planned = 0
    while _is_same(known.get(f"{source.id}{CHANNEL_MARK}{planned}"), source):
        planned += 1
    return planned or recordings_in(source, config)


def _is_same(old: Source | None, source: Source) -> bool:
    return old is not None and not is_other_content(old.version, source.version)
