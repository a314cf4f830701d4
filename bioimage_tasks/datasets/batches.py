"""Samples in batches, in a new order every epoch, read ahead by threads.

Samples come in, dictionaries of stacked arrays go out. The order follows from the seed and
the number of the epoch alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.datasets.samples import Sample, Samples

#: Arrays of one shape are stacked, (size, ...); others stay a list.
Batch = dict[str, Array | list[Array]]


class _Indexed(Protocol):
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Sample: ...


def batches(
    samples: _Indexed,
    size: int,
    *,
    seed: int | None = None,
    epoch: int = 0,
    drop_last: bool = False,
    threads: int = 2,
    ahead: int = 2,
) -> Iterator[Batch]:
    """Yield batches: ``for batch in batches(collection, 16, seed=0, epoch=3): ...``.

    Parameters
    ----------
    samples : ImageCollection, Samples or sequence of dictionaries of arrays
    size : int
        Samples in a batch.
    seed : int, optional
        Of the order, a new permutation for each epoch; without it, that of ``samples``.
    epoch : int
        From 0. A transform that draws draws anew, see
        :meth:`bioimage_tasks.datasets.transforms.Compose.at_epoch`.
    drop_last : bool
        Leave out a last batch that is not full.
    threads : int
        Readers; pixels are decoded without the interpreter's lock.
    ahead : int
        Batches that are read before they are asked for: the memory that this takes.

    Yields
    ------
    dict
        Of each key, an array (size, ...) or, where shapes differ, a list of arrays.

    Raises
    ------
    ValueError
        A number is below its least, or only some samples of a batch have a mask.
    """
    for name, value, least in (("size", size, 1), ("threads", threads, 1), ("ahead", ahead, 1)):
        if value < least:
            raise ValueError(f"batches: {name} must be at least {least}; got {value}")
    return _read(
        _at_epoch(samples, epoch),
        _order(len(samples), size, seed, epoch, drop_last),
        threads,
        ahead,
    )


def _order(count: int, size: int, seed: int | None, epoch: int, drop_last: bool) -> list[list[int]]:
    places = list(range(count))
    if seed is not None:
        places = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    last = count - count % size if drop_last else count
    return [places[start : min(start + size, last)] for start in range(0, last, size)]


def _at_epoch(samples: Any, epoch: int) -> _Indexed:
    """Return samples that are listed once and whose transform knows the epoch."""
    listed: Any = getattr(samples, "samples", samples)
    at_epoch: Any = getattr(getattr(listed, "transform", None), "at_epoch", None)
    if isinstance(listed, Samples) and at_epoch is not None:
        return Samples(listed.images(), output=listed.output, transform=at_epoch(epoch))
    found: _Indexed = listed
    return found


def _read(
    samples: _Indexed, order: Sequence[list[int]], threads: int, ahead: int
) -> Iterator[Batch]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="batches")
    waiting: deque[list[Future[Sample]]] = deque()
    try:
        for places in order:
            waiting.append([pool.submit(samples.__getitem__, place) for place in places])
            if len(waiting) > ahead:
                yield _stacked(waiting.popleft())
        while waiting:
            yield _stacked(waiting.popleft())
    finally:  # also when the caller stops early
        pool.shutdown(cancel_futures=True)


def _stacked(futures: list[Future[Sample]]) -> Batch:
    found = [future.result() for future in futures]
    keys = {tuple(sorted(each)) for each in found}
    if len(keys) > 1:
        raise ValueError(
            f"batches: every sample of a batch must have the same keys, choose output='image' "
            f"or leave out images without labels; got {' and '.join(map(str, sorted(keys)))}"
        )
    batch: Batch = {}
    for key in found[0]:
        arrays = [np.asarray(each[key]) for each in found]
        same = len({(each.shape, each.dtype) for each in arrays}) == 1
        batch[key] = np.stack(arrays) if same else arrays
    return batch
