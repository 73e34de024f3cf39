"""Time stamps of Ogg, which has one for each page (a second or so): where it ends.

FFmpeg puts a hole behind the first packet of its page. Here it stands before the last one, since writers end a page
when it becomes too long, or before the whole page, where the one before it was destroyed.
"""

from collections.abc import Iterable, Iterator

from curation.stages.decode.clock import JITTER_SECONDS, MAX_JUMP_SECONDS, OVERHEAD_BYTES, Decoded


def in_pages(items: Iterable[Decoded], end: float | None) -> Iterator[Decoded]:
    """The same with the stamps of the late ones corrected; `end` (s) is the stamp of the last page.

    Raises what `items` raises, after what came before.
    """
    page: list[Decoded] = []
    try:
        for item in items:
            if page and item.page != page[-1].page:
                yield from _corrected(page, item.time)
                page = []
            page.append(item)
    except Exception:
        yield from page
        raise
    yield from _corrected(page, end)


def _corrected(page: list[Decoded], end: float | None) -> list[Decoded]:
    """The items of a page that ends at `end` (s)."""
    start = page[0].time if page else None
    if start is None or end is None:
        return page
    hole = end - start - sum(item.seconds for item in page)
    late = len(page)
    if JITTER_SECONDS < hole <= MAX_JUMP_SECONDS:
        destroyed = page[0].unread > OVERHEAD_BYTES or any(item.error for item in page)
        late = 0 if destroyed else len(page) - 1
    for item in page[:late]:
        item.time, start = start, start + item.seconds
    for item in reversed(page[late:]):
        end -= item.seconds
        item.time = end
    return page
