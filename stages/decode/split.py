"""Makes recordings of their own of the channels of a file, where `decode.channels` says so."""

import itertools
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from curation.core.errors import StorageError
from curation.manifests.inputs.argument import Input
from curation.manifests.inputs.listing import inputs_on_disk
from curation.manifests.inputs.rows import CHANNEL_MARK
from curation.manifests.inputs.spill import SortedOnDisk
from curation.manifests.records import Source
from curation.stages.decode.channels import STEREO
from curation.stages.decode.media import OpenFile, open_media, open_patiently
from curation.stages.decode.stage import DecodeConfig

log = logging.getLogger(__name__)

OPEN_AT_ONCE, GROUP = 16, 256


def by_channel(found: Iterable[Input], config: DecodeConfig) -> SortedOnDisk[Input]:
    """The inputs sorted by id, with one for each channel instead of a file that is split. Files are opened for it.

    One that cannot be read stays whole: it fails when it is decoded.
    """
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


def recordings_in(source: Source, config: DecodeConfig, *, open_file: OpenFile | None = None) -> int:
    """How many recordings a source is by `config.channels`: 1, also where it cannot be read, or its channels."""
    if source.channel is not None or config.channels == "mix":
        return 1
    track = config.track if source.track is None else source.track
    try:
        with open_media(source.path, open_file or open_patiently, track) as media:
            channels = max(media.info.channels, 1)
            if config.channels == "auto" and (channels != STEREO or not media.is_separate()):
                return 1
            return channels
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault is told when the source is decoded
        log.debug("%s cannot be looked at: %s", source.path, error)
        return 1
