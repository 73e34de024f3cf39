"""The words of utterances as numbers that can be compared fast: the same for the same letters and digits."""

import zlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def plain(text: str) -> str:
    """The letters and digits of a text."""
    return "".join(letter for letter in (text or "").casefold() if letter.isalnum())


def numbers_and_times(words: pa.ListArray) -> tuple[pa.ListArray, pa.ListArray]:
    """Of the column `words` of shards: for each utterance int32 numbers, and float32 seconds: of each word its
    start and its end, one after the other. Of a null none.
    """
    every, counts = words.flatten(), pc.fill_null(pc.list_value_length(words), 0).to_numpy()
    offsets = np.r_[0, np.cumsum(counts)].astype(np.int32)
    times = np.stack([pc.struct_field(every, name).to_numpy(zero_copy_only=False) for name in ("start", "end")], axis=1)
    return (
        pa.ListArray.from_arrays(pa.array(offsets), _numbers(pc.struct_field(every, "text"))),
        pa.ListArray.from_arrays(pa.array(2 * offsets), pa.array(times.ravel())),
    )


def _numbers(words: pa.StringArray) -> pa.Int32Array:
    found = words.dictionary_encode()
    numbers = [zlib.crc32(plain(word).encode(errors="surrogatepass")) for word in found.dictionary.to_pylist()]
    return pa.array(np.array(numbers, np.uint32).view(np.int32)).take(found.indices)
