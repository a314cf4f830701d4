"""Compression of integer buffers when it pays: ``method, data = squeeze(data, item_size)``.

Raw bytes of integers or booleans flow in, fewer bytes or the same flow out, and back.
It must not know arrays, and is never asked about floats, whose noise does not compress.

Label images and masks shrink 10 to 100 times; camera images (12 bits of noise in 16)
hardly at all. So four pieces, spread over the buffer because borders of images are
often empty, are tried first: a quarter of a millisecond. Bytes of one significance are
brought together before zlib (the "shuffle" of HDF5 and Blosc: Masui et al. 2015,
doi:10.1016/j.ascom.2015.07.002, gives its bitwise sister), since the upper bytes of
labels are nearly all zero.
"""

from __future__ import annotations

import zlib

from taskgraph.codecs.wire import Buffer, corrupt

RAW, ZLIB, SHUFFLED = 0, 1, 2
#: Smaller buffers are left alone.
SMALLEST = 1 << 14
#: A sample must shrink below this part of itself. Labels and masks come down to 0.01-0.07
#: at 300-480 MB/s; camera images to 0.4-0.5 at 80 MB/s, which costs more than it saves.
WORTH = 1 / 3
_LEVEL = 1
_PIECES = 4
_PIECE = 1 << 12
#: DEFLATE never yields more than 1032 bytes for one.
_MOST = 1032


def squeeze(data: Buffer, item_size: int) -> tuple[int, Buffer]:
    """Return ``(method, data)``: compressed where a sample of it says that it pays.

    Parameters
    ----------
    data : buffer
        Integers or booleans.
    item_size : int
        Bytes of one item.
    """
    size = len(data)
    if size < SMALLEST:
        return RAW, data
    step = max(size // _PIECES // item_size * item_size, item_size)
    piece = min(step, _PIECE // item_size * item_size or item_size)
    sample = b"".join(data[at : at + piece] for at in range(0, size - piece + 1, step))
    if len(_deflate(sample, item_size)) > WORTH * len(sample):
        return RAW, data
    small = _deflate(data, item_size)
    if len(small) > WORTH * size:
        return RAW, data
    return (SHUFFLED if item_size > 1 else ZLIB), small


def restore(data: memoryview, raw: int, method: int, item_size: int) -> memoryview:
    """Return the bytes as they were: ``data`` itself when it was not compressed.

    Raises
    ------
    ResultCorrupt
        If they are not ``raw`` bytes, or zlib finds them damaged.
    """
    if method == RAW and len(data) == raw:
        return data
    known = method in (ZLIB, SHUFFLED) and item_size > 0
    if not known or raw > len(data) * _MOST or raw % item_size:
        raise corrupt("a buffer's lengths do not fit", f"{len(data)} stored, {raw} raw")
    inflater = zlib.decompressobj()
    try:
        whole = inflater.decompress(data, raw + 1)
    except zlib.error as error:
        raise corrupt("a compressed buffer is damaged", error) from error
    if len(whole) != raw or not inflater.eof or inflater.unused_data:
        raise corrupt("a compressed buffer has another length", f"{len(whole)} of {raw} bytes")
    return memoryview(bytearray(whole)) if method == ZLIB else _gather(whole, item_size)


def _deflate(data: Buffer, item_size: int) -> bytes:
    if item_size == 1:
        return zlib.compress(data, _LEVEL)
    import numpy as np

    bytes_of_items = np.frombuffer(data, np.uint8).reshape(-1, item_size)
    return zlib.compress(np.ascontiguousarray(bytes_of_items.T).data, _LEVEL)


def _gather(data: bytes, item_size: int) -> memoryview:
    import numpy as np

    planes = np.frombuffer(data, np.uint8).reshape(item_size, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).data
