"""Small changes of a sample, the same for image and mask, without any further package.

``image`` and ``mask`` come in by keyword, a dictionary of those that were given goes out.
What is drawn follows from the seed, the epoch and the pixels alone: neither the order of
reading nor the number of threads changes it, so results can be remembered.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bioimage_tasks.checks import Array, check_choice
from bioimage_tasks.datasets.base import Aggregate
from bioimage_tasks.datasets.pixels import aggregated
from bioimage_tasks.datasets.samples import Sample, Transform


@dataclass(frozen=True, slots=True)
class _OnImage:
    """A change of the image alone."""

    def __call__(self, **sample: Array) -> Sample:
        if "image" in sample:
            sample["image"] = self.change(sample["image"])
        return sample

    def change(self, image: Array) -> Array:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Normalise(_OnImage):
    """Scale percentiles to 0 and 1, float32, each channel by itself and unclipped.

    Attributes
    ----------
    low, high : float
        Percentiles in [0, 100].
    """

    low: float = 1.0
    high: float = 99.8

    def change(self, image: Array) -> Array:
        """Return the image scaled; a constant channel becomes 0."""
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(
                f"Normalise: percentiles must be 0 <= low < high <= 100; got {self.low} "
                f"and {self.high}"
            )
        bottom, top = np.percentile(image, (self.low, self.high), axis=(0, 1))
        spread = np.where(top > bottom, top - bottom, 1.0)
        scaled: Array = ((image - bottom) / spread).astype(np.float32)
        return scaled


@dataclass(frozen=True, slots=True)
class ChannelsFirst(_OnImage):
    """(height, width[, channels]) becomes (channels, height, width), as networks want it."""

    def change(self, image: Array) -> Array:
        """Return the image with the channels in front."""
        return np.ascontiguousarray(image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0))


@dataclass(frozen=True, slots=True)
class ToGray(_OnImage):
    """Make one channel: "luma", "mean", "sum", "max" or a weight for each channel."""

    how: Aggregate = "luma"

    def change(self, image: Array) -> Array:
        """Return (height, width)."""
        return aggregated(image, self.how)


@dataclass(frozen=True, slots=True)
class ToRgb(_OnImage):
    """Make three channels: one is repeated, two get a third of zeros, a fourth is dropped."""

    def change(self, image: Array) -> Array:
        """Return (height, width, 3)."""
        if image.ndim == 2:
            return np.repeat(image[..., None], 3, axis=-1)
        count = image.shape[-1]
        if not 1 <= count <= 4:
            raise ValueError(f"ToRgb: an image must have 1 to 4 channels; got {image.shape}")
        if count == 1:
            return np.repeat(image, 3, axis=-1)
        if count == 2:
            return np.concatenate([image, np.zeros_like(image[..., :1])], axis=-1)
        return image[..., :3]


@dataclass(frozen=True, slots=True)
class Reorder(_OnImage):
    """Choose channels in another order: ``Reorder((2, 0))``."""

    channels: tuple[int, ...]

    def change(self, image: Array) -> Array:
        """Return (height, width, len(channels))."""
        count = image.shape[-1] if image.ndim > 2 else 0
        if any(not 0 <= channel < count for channel in self.channels):
            raise ValueError(
                f"Reorder: channels must lie in 0..{count - 1} of an image (height, width, "
                f"channels); got {self.channels} for shape {image.shape}"
            )
        return image[..., list(self.channels)]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A change that draws, of image and mask together.

    Attributes
    ----------
    seed, epoch : int
        What is drawn follows from these and the pixels.
    """

    seed: int = 0
    epoch: int = 0

    def at_epoch(self, epoch: int) -> _Drawn:
        """Return the same transform, drawing anew."""
        return replace(self, epoch=epoch)

    def rng(self, sample: Mapping[str, Array]) -> np.random.Generator:
        """Return a generator of this sample's own."""
        first = np.ascontiguousarray(sample["image" if "image" in sample else "mask"])
        salt = zlib.crc32(type(self).__name__.encode())
        return np.random.default_rng([self.seed, self.epoch, salt, zlib.crc32(first.data)])


@dataclass(frozen=True, slots=True)
class Flip(_Drawn):
    """Mirror top and bottom, left and right, each with probability 1/2."""

    def __call__(self, **sample: Array) -> Sample:
        """Return image and mask mirrored alike."""
        steps = tuple(1 - 2 * int(each) for each in self.rng(sample).integers(0, 2, 2))
        cut = (slice(None, None, steps[0]), slice(None, None, steps[1]))
        return {key: np.ascontiguousarray(each[cut]) for key, each in sample.items()}


@dataclass(frozen=True, slots=True)
class Rotate90(_Drawn):
    """Turn by 0, 90, 180 or 270 degrees."""

    def __call__(self, **sample: Array) -> Sample:
        """Return image and mask turned alike."""
        turns = int(self.rng(sample).integers(0, 4))
        return {key: np.ascontiguousarray(np.rot90(each, turns)) for key, each in sample.items()}


@dataclass(frozen=True, slots=True)
class Crop(_Drawn):
    """Cut out a window; a smaller image is padded below and on the right, its mask with 0.

    Attributes
    ----------
    size : tuple of int
        (height, width) in pixels.
    where : str
        "random" or "centre".
    """

    size: tuple[int, int] = (256, 256)
    where: str = "random"

    def __call__(self, **sample: Array) -> Sample:
        """Return the same window of image and mask."""
        check_choice("Crop", "where", self.where, ("random", "centre"))
        if min(self.size) < 1:
            raise ValueError(f"Crop: size must be at least 1 pixel each way; got {self.size}")
        shape = next(iter(sample.values())).shape[:2]
        spare = [max(0, have - want) for have, want in zip(shape, self.size, strict=True)]
        if self.where == "centre":
            corner = [each // 2 for each in spare]
        else:
            corner = [int(self.rng(sample).integers(0, each + 1)) for each in spare]
        return {key: self._window(each, corner, key) for key, each in sample.items()}

    def _window(self, array: Array, corner: list[int], key: str) -> Array:
        (top, left), (height, width) = corner, self.size
        found = array[top : top + height, left : left + width]
        short = [(0, height - found.shape[0]), (0, width - found.shape[1])]
        if not any(after for _before, after in short):
            return np.ascontiguousarray(found)
        pads = short + [(0, 0)] * (array.ndim - 2)
        return np.pad(found, pads, mode="constant" if key == "mask" else "symmetric")


@dataclass(frozen=True, slots=True)
class Compose:
    """Transforms one after the other: ``Compose((Crop((128, 128)), Normalise()))``."""

    steps: tuple[Transform, ...]

    def __call__(self, **sample: Array) -> Sample:
        """Return the sample after all steps."""
        for step in self.steps:
            sample = step(**sample)
        return sample

    def at_epoch(self, epoch: int) -> Compose:
        """Return the same, those that draw drawing anew."""
        return Compose(
            tuple(
                step.at_epoch(epoch) if hasattr(step, "at_epoch") else step for step in self.steps
            )
        )


def of_dict(
    transform: Callable[[dict[str, Any]], Mapping[str, Any]], mask: str = "mask"
) -> Transform:
    """Make a transform of one that takes a dictionary, such as MONAI's.

    ``of_dict(monai.transforms.RandFlipd(["image", "label"]), mask="label")``

    Parameters
    ----------
    transform : callable
        From a dictionary to a dictionary.
    mask : str
        How it calls the mask.
    """

    def by_keyword(**sample: Array) -> Sample:
        names = {"mask": mask}
        found = transform({names.get(key, key): value for key, value in sample.items()})
        return {key: found[names.get(key, key)] for key in sample}

    return by_keyword
