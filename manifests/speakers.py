"""Speakers across the spans of one recording: each span was diarized separately, with its own labels.

Average-linkage clustering of the spans' speakers by cosine distance, where two speakers of the same span are never
joined. It needs the stored speaker embeddings only, no model.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE

Embedding = npt.NDArray[np.float32]
"""A speaker embedding, shape (dimension,), of unit norm."""

JOIN_THRESHOLD = 0.45
"""Cosine distance of two CAM++ centroids below which they are the same speaker. Measured on meetings and mixed
English conversations, halves of a recording as spans: with 4 s of speech and more, 68 pairs of one voice are within
0.24, 365 pairs of two voices at 0.61 or more."""


def speaker_centroids(utterances: Iterable[tuple[str, float, Embedding | None]]) -> dict[str, Embedding]:
    """Centroid of each speaker of one span, of unit norm, from (label, seconds, embedding) of its utterances.

    Utterances are weighted by duration. A speaker without any embedding gets zeros, which `join_speakers` never joins.
    Labels come in order of first appearance.
    """
    sums: dict[str, npt.NDArray[np.float64]] = {}
    for label, seconds, embedding in utterances:
        weighted = np.zeros(1) if embedding is None else seconds * embedding.astype(np.float64)
        sums[label] = sums.get(label, np.zeros(1)) + weighted
    return {label: unit(total) for label, total in sums.items()}


def join_speakers(spans: Sequence[Mapping[str, Embedding]], threshold: float = JOIN_THRESHOLD) -> list[dict[str, str]]:
    """For each span, its speakers' labels within the recording: S0, S1, … in order of first appearance.

    `spans` holds, in order of time, the centroid of each of the span's speakers by label. Within a span the order of
    the mapping is the order of appearance. A recording in one span keeps its labels' order.
    """
    owners = np.array([number for number, span in enumerate(spans) for _ in span], dtype=np.int64)
    centroids = [centroid for span in spans for centroid in span.values()]
    groups = iter(cluster(distances(centroids, owners), threshold))
    names: dict[int, str] = {}
    return [
        {label: names.setdefault(group, f"S{len(names)}") for label, group in zip(span, groups, strict=False)}
        for span in spans
    ]


def distances(centroids: Sequence[Embedding], owners: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Cosine distances (n, n); infinite within a span, on the diagonal, and where there is no embedding."""
    known = np.array([np.any(centroid) for centroid in centroids], dtype=bool)
    size = max((len(centroid) for centroid in centroids), default=0)
    rows = np.stack([np.resize(unit(c.astype(np.float64)), size) for c in centroids]) if centroids else np.zeros((0, 0))
    table: npt.NDArray[np.float64] = 1.0 - (rows @ rows.T).astype(np.float64)
    table[(owners[:, None] == owners[None, :]) | ~known[:, None] | ~known[None, :]] = np.inf
    return table


def cluster(table: npt.NDArray[np.float64], threshold: float) -> list[int]:
    """Group of each row: joins the nearest two groups until their mean distance reaches `threshold`.

    An infinite distance between any two members keeps two groups apart. Ties go to the lowest index.
    """
    table = table.copy()
    sizes = np.ones(len(table))
    group = np.arange(len(table))
    while len(table):
        one, two = sorted(divmod(int(np.argmin(table)), len(table)))
        if not table[one, two] < threshold:
            break
        mean = (sizes[one] * table[one] + sizes[two] * table[two]) / (sizes[one] + sizes[two])
        table[one], table[:, one] = mean, mean
        table[two], table[:, two], table[one, one] = np.inf, np.inf, np.inf
        sizes[one] += sizes[two]
        group[group == two] = one
    return [int(number) for number in group]


def unit(vector: npt.NDArray[np.float64]) -> Embedding:
    """The vector scaled to unit norm; zeros stay zeros."""
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else vector).astype(np.float32)


def with_joined_speakers(segments: pa.Table, ids: Sequence[str], threshold: float) -> pa.Table:
    """The segments of spans; a speaker has the same label in all spans of the recording.

    `ids` are the recordings of the spans, of which each segment has the index in `row`.
    """
    if len(set(ids)) == len(ids):
        return segments
    rows = segments["row"].to_numpy()
    labels = np.asarray(segments["speaker"].to_pylist(), dtype=object)
    for _, group in itertools.groupby(range(len(ids)), key=lambda row: ids[row]):
        members = list(group)
        if len(members) == 1:
            continue
        where = [np.flatnonzero(rows == row) for row in members]
        renamed = join_speakers([_centroids(segments.take(pa.array(index))) for index in where], threshold)
        for index, names in zip(where, renamed, strict=True):
            labels[index] = [names.get(label, label) for label in labels[index]]
    position = segments.column_names.index("speaker")
    return segments.set_column(position, "speaker", pa.array(labels.tolist(), pa.string()))


def one_voice(segments: pa.Table, ids: Sequence[str]) -> pa.Array:
    """Whether the recording of each segment has one speaker; overlapped speech, which has no label, does not count."""
    recording = pa.array(ids, pa.string()).take(segments["row"].combine_chunks())
    labelled = pa.table({"recording": recording, "speaker": segments["speaker"]}).filter(pc.field("speaker") != "")
    voices = labelled.group_by("recording").aggregate([("speaker", "count_distinct")])
    several = voices.filter(pc.field("speaker_count_distinct") > 1)["recording"]
    return pc.invert(pc.is_in(recording, value_set=several.combine_chunks()))


def _centroids(part: pa.Table) -> dict[str, Embedding]:
    """Centroid of each speaker of one span, from its segments in order of time."""
    seconds = (part["end"].to_numpy() - part["start"].to_numpy()) / SAMPLE_RATE
    embeddings = [
        None if item is None else np.asarray(item, np.float32) for item in part["speaker_embedding"].to_pylist()
    ]
    utterances = zip(part["speaker"].to_pylist(), seconds, embeddings, strict=True)
    return speaker_centroids(item for item in utterances if item[0])
