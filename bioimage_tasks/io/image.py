"""An image that is open but unread: named axes, size of a pixel, planes on demand.

A loader of some format comes in, arrays of the planes asked for go out, in the file's own
dtype. Must not know any format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array
from bioimage_tasks.io.damage import naming
from bioimage_tasks.io.names import Region, slices

#: For every axis the indices wanted, or a slice: the loader returns those, all axes kept.
Selection = tuple[tuple[int, ...] | slice, ...]
Loader = Callable[[Selection], Array]
PROJECTIONS = ("max", "mean")


@dataclass(frozen=True, slots=True)
class Level:
    """An image's resolution: its shape, and size and place of its pixels.

    Attributes
    ----------
    shape : tuple of int
    pixel_size : dict of str to float
        Micrometres by axis, where the file tells it.
    origin : dict of str to float
        Where the middle of the first pixel lies, micrometres by axis. Levels of one image
        are in one space: a coarse pixel lies amid the fine ones that it stands for.
    """

    shape: tuple[int, ...]
    pixel_size: dict[str, float] = field(default_factory=dict)
    origin: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Image:
    """An image on disk: ``open_image("stack.ome.tif").read(channel=1, plane=(("Z", 3),))``.

    Attributes
    ----------
    path : str
    axes : str
        A letter for each axis: T time, C channel, Z depth, Y row, X column, S sample of a
        colour.
    shape : tuple of int
        Length of each axis.
    dtype : numpy.dtype
        As in the file.
    pixel_size : dict of str to float
        Micrometres along Z, Y and X; an axis whose size the file does not tell is absent.
    level : int
        Which of ``levels`` is open, 0 the finest.
    levels : tuple of Level
        All that the file has; none where its format knows none.
    """

    path: str
    axes: str
    shape: tuple[int, ...]
    dtype: npt.DTypeLike
    load: Loader = field(repr=False)
    pixel_size: dict[str, float] = field(default_factory=dict)
    level: int = 0
    levels: tuple[Level, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Length of every axis by its letter."""
        return dict(zip(self.axes, self.shape, strict=True))

    @property
    def channels(self) -> int:
        """Number of channels; samples of a colour count as such."""
        return self.sizes.get("C", 1) * self.sizes.get("S", 1)

    @property
    def colours(self) -> int:
        """Number of channels without alpha, which says what is drawn and not what is seen."""
        samples = self.sizes.get("S", 1)
        return self.sizes.get("C", 1) * (samples - 1 if samples in (2, 4) else samples)

    def read(
        self,
        *,
        channel: int | tuple[int, ...] | None = None,
        plane: tuple[tuple[str, int | str], ...] = (),
        region: Region | None = None,
    ) -> Array:
        """Read what is asked for and no more: ``image.read(channel=0, region=(0, 0, 9, 9))``.

        Parameters
        ----------
        channel : int or tuple of int, optional
            One gives no axis of channels, a tuple or all that there are give one at the end.
        plane : tuple of (str, int or str)
            For T and Z: an index, "all" (the axis is kept, in front of the rows), "max" or
            "mean" along it. An axis of length 1 needs none.
        region : tuple of int, optional
            (top, left, bottom, right) in pixels, the last two exclusive.

        Returns
        -------
        numpy.ndarray
            Shape ([T,] [Z,] height, width [, channels]), native dtype ("mean": float32, or float64 of pixels wider than 16 bits).

        Raises
        ------
        ValueError
            An axis, index, channel or region does not exist, an axis is left open, or the
            file is damaged.
        """
        chosen = dict(plane)
        self._check_plane(chosen)
        wanted = self._channels_wanted(channel)
        where = tuple(self._selector(axis, chosen, wanted, region) for axis in self.axes)
        with naming("Image.read", Path(self.path)):
            found = self.load(where)
        return self._arranged(found, chosen, wanted, isinstance(channel, int))

    def _check_plane(self, chosen: dict[str, int | str]) -> None:
        others = {"T": 1, "Z": 1} if chosen else {}  # an axis that is absent has one plane
        others |= {axis: size for axis, size in self.sizes.items() if axis not in "YXCS"}
        unknown = sorted(set(chosen) - set(others))
        if unknown:
            raise ValueError(
                f"Image.read: plane chooses along {', '.join(others)} of axes "
                f"{self.axes}; got {', '.join(unknown)} for {self.path}"
            )
        for axis, size in others.items():
            value = chosen.get(axis, 0 if size == 1 else None)
            if value is None:
                raise ValueError(
                    f"Image.read: choose a plane first, {self.path} has {size} along {axis}: "
                    f"plane=(({axis!r}, 0),), or 'all', 'max' or 'mean'; got none"
                )
            if isinstance(value, str):
                if value not in ("all", *PROJECTIONS):
                    raise ValueError(
                        f"Image.read: plane takes an index, 'all', 'max' or 'mean'; "
                        f"got {value!r} for {axis}"
                    )
            elif not 0 <= value < size:
                raise ValueError(
                    f"Image.read: {axis} must lie in 0..{size - 1} for {self.path}; got {value}"
                )

    def _channels_wanted(self, channel: int | tuple[int, ...] | None) -> tuple[int, ...]:
        every = tuple(range(self.channels))
        wanted = every if channel is None else channel
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        if not wanted or any(each not in every for each in wanted):
            raise ValueError(
                f"Image.read: channel must lie in 0..{len(every) - 1} for {self.path}; "
                f"got {channel}"
            )
        return wanted

    def _selector(
        self, axis: str, chosen: dict[str, Any], wanted: tuple[int, ...], region: Region | None
    ) -> tuple[int, ...] | slice:
        size = self.sizes[axis]
        if axis in "YX":
            return self._rows_or_columns(axis, region)
        if axis == "C":  # with samples too, channels number all samples of C 0, then of C 1...
            return tuple(sorted({each // self.sizes.get("S", 1) for each in wanted}))
        if axis == "S":
            return slice(0, size)
        value = chosen.get(axis, 0)
        return (value,) if isinstance(value, int) else slice(0, size)

    def _rows_or_columns(self, axis: str, region: Region | None) -> slice:
        rows, columns = slices(region, self.sizes["Y"], self.sizes["X"])
        return rows if axis == "Y" else columns

    def _arranged(
        self, found: Array, chosen: dict[str, Any], wanted: tuple[int, ...], single: bool
    ) -> Array:
        """Bring the loaded axes into the order T, Z, Y, X, channels and drop those chosen."""
        axes = self.axes
        for axis in "TZCS":
            if axis not in axes:
                found, axes = found[None], axis + axes
        found = found.transpose([axes.index(axis) for axis in "TZYXCS"])
        samples = found.shape[-1]
        loaded = sorted({each // samples for each in wanted})
        at = [loaded.index(each // samples) * samples + each % samples for each in wanted]
        found = found.reshape(*found.shape[:4], -1)
        if at != list(range(found.shape[-1])):
            found = found[..., at]
        for place, axis in ((1, "Z"), (0, "T")):
            found = _reduced(found, place, chosen.get(axis, 0))
        return found[..., 0] if single or (len(at) == 1 and self.channels == 1) else found


def _reduced(found: Array, axis: int, value: int | str) -> Array:
    if value == "all":
        return found
    if value == "max":
        return np.asarray(found.max(axis=axis))
    if value == "mean":
        exact = found.mean(axis=axis, dtype=np.float64)
        return np.asarray(exact, dtype=np.result_type(found.dtype, np.float32))
    return np.asarray(found.take(0, axis=axis))  # the only one that was loaded
