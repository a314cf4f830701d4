"""What every collection of files can do; a collection itself only says what lies where.

A folder and options come in, references or samples go out. A subclass implements
``list_images``; it reads no pixels and knows nothing of the options here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bioimage_tasks.checks import check_choice
from bioimage_tasks.datasets.base import Aggregate, ImageRef
from bioimage_tasks.datasets.samples import OUTPUTS, Sample, Samples, Transform

Channels = int | str | Sequence[int | str]


class ImageCollection:
    """Images in a folder of known layout: ``Bbbc039(root, part="test").images()``.

    Attributes
    ----------
    name, acronym, licence, citation, url : str
        As ``taskgraph datasets`` shows them; ``name`` is lower case with hyphens.
    layout : str
        The expected tree, for people.
    expected : tuple of str
        Patterns below the root of which each must match: what ``check`` looks for first.
    parts : tuple of str
        Which of "training" and "test" the publishers made; a collection that was never
        divided has "training" alone.
    channel_names : tuple of str
        Names that ``channels`` may use, in the order of the channels.
    annotation_names : tuple of str
        Names that ``annotation`` may choose from, the first by default.

    Parameters
    ----------
    root : str or path
        The folder.
    part : str
        "training", "test" or "all".
    output : str
        "image", "labels" or "both": what a sample has, and whether references have gold.
    channels : int, str or sequence of them, optional
        Which channels, by number or name; one gives (height, width).
    aggregate : str or sequence of float
        "mean", "sum", "max", "luma" or a weight for each channel: one grey channel.
    annotation : str
        Which of several annotations is the gold standard.
    indices : sequence of int, optional
        Only these images, by their place in the list.
    n_samples : int, optional
        That many images drawn with ``seed``, none twice before all were drawn once; the
        order of the list is kept.
    seed : int
        Of the drawing.
    transform : callable, optional
        See :class:`~bioimage_tasks.datasets.samples.Samples`.
    """

    name: ClassVar[str] = ""
    acronym: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    url: ClassVar[str] = ""
    layout: ClassVar[str] = ""
    expected: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[tuple[str, ...]] = ("training",)
    channel_names: ClassVar[tuple[str, ...]] = ()
    annotation_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        part: str = "training",
        output: str = "both",
        channels: Channels | None = None,
        aggregate: str | Sequence[float] = "",
        annotation: str = "",
        indices: Sequence[int] | None = None,
        n_samples: int | None = None,
        seed: int = 0,
        transform: Transform | None = None,
    ) -> None:
        who = type(self).__name__
        self.root = Path(root)
        self.part = check_choice(who, "part", part, ("training", "test", "all"))
        self.output = check_choice(who, "output", output, OUTPUTS)
        self.channel = self._channel_numbers(channels)
        self.aggregate: Aggregate = aggregate if isinstance(aggregate, str) else tuple(aggregate)
        self.annotation = annotation
        if annotation and not self.annotation_names:
            raise ValueError(f"{who}: it has no annotations to choose among; got {annotation!r}")
        if annotation:
            check_choice(who, "annotation", annotation, self.annotation_names)
        if n_samples is not None and n_samples < 1:
            raise ValueError(f"{who}: n_samples must be at least 1; got {n_samples}")
        self.indices = None if indices is None else tuple(indices)
        self.n_samples = n_samples
        self.seed = seed
        self.transform = transform

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r}, part={self.part!r})"

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return every image of one part ("training" or "test"), reading no pixels.

        Raises
        ------
        FileNotFoundError
            A file or a partner is missing; names it.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement list_images")

    def check_root(self) -> None:
        """Raise ``FileNotFoundError`` unless the root is there."""
        if not self.root.is_dir():
            raise FileNotFoundError(
                f"{type(self).__name__}: the folder of the collection must exist; got {self.root}"
            )

    def images(self) -> list[ImageRef]:
        """Return references in a fixed order, with the options applied.

        Raises
        ------
        FileNotFoundError
            The folder is not laid out as it should be; names what is missing.
        ValueError
            There is no such part or index.
        """
        found = [self._with_options(image) for image in self._listed()]
        if self.indices is not None:
            found = self._by_index(found)
        return found if self.n_samples is None else self._drawn(found, self.n_samples)

    def _listed(self) -> list[ImageRef]:
        self.check_root()
        if self.part == "all":
            return [image for part in self.parts for image in self.list_images(self.root, part)]
        if self.part not in self.parts:
            raise ValueError(
                f"{type(self).__name__}: this collection has the parts {', '.join(self.parts)}; "
                f"got {self.part!r}"
            )
        return self.list_images(self.root, self.part)

    def _with_options(self, image: ImageRef) -> ImageRef:
        changes: dict[str, Any] = {}
        if self.channel is not None:
            changes["channel"] = self.channel
        if self.aggregate:
            changes["aggregate"] = self.aggregate
        if self.annotation:
            changes["annotation"] = self.annotation
        if self.output == "image":
            changes |= {"labels_path": None, "annotations": ()}
        return replace(image, **changes) if changes else image

    def _by_index(self, found: list[ImageRef]) -> list[ImageRef]:
        outside = [index for index in self.indices or () if not 0 <= index < len(found)]
        if outside:
            raise ValueError(
                f"{type(self).__name__}: indices must lie in 0..{len(found) - 1}; got {outside}"
            )
        return [found[index] for index in self.indices or ()]

    def _drawn(self, found: list[ImageRef], count: int) -> list[ImageRef]:
        whole, rest = divmod(count, len(found))
        rng = np.random.default_rng(self.seed)
        extra = rng.permutation(len(found))[:rest].tolist()
        return [found[index] for index in sorted(list(range(len(found))) * whole + extra)]

    def _channel_numbers(self, channels: Channels | None) -> int | tuple[int, ...] | None:
        if channels is None:
            return None
        if isinstance(channels, int | str):
            return self._channel_number(channels)
        return tuple(self._channel_number(channel) for channel in channels)

    def _channel_number(self, channel: int | str) -> int:
        if isinstance(channel, int):
            return channel
        who = type(self).__name__
        if not self.channel_names:
            raise ValueError(
                f"{who}: its channels have no names; give numbers, from 0; got {channel!r}"
            )
        check_choice(who, "channels", channel, self.channel_names)
        return self.channel_names.index(channel)

    @cached_property
    def samples(self) -> Samples:
        """The images as samples that are read on demand, listed at the first look."""
        return Samples(self.images(), output=self.output, transform=self.transform)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        """Read one sample: a dictionary of "image" and "mask"."""
        found: Sample = self.samples[index]
        return found

    def __iter__(self) -> Iterator[Sample]:
        """Read the samples one after the other."""
        return iter(self.samples)

    @classmethod
    def at(cls, root: str | os.PathLike[str], **options: Any) -> ImageCollection:
        """Return the collection in a folder, for those who know no more than the folder."""
        return cls(root, **options)

    @classmethod
    def check(cls, root: str | os.PathLike[str], part: str = "all") -> list[str]:
        """Return what is missing below ``root``, as sentences; nothing when all is there."""
        from bioimage_tasks.datasets.checking import missing

        return missing(cls, Path(root), part)
