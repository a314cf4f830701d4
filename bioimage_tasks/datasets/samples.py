"""References read on demand, as samples of image and mask: the way into a training loop.

A list of references comes in, dictionaries of arrays go out, one transform applied to image
and mask together. Must not know any collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bioimage_tasks.checks import Array
from bioimage_tasks.datasets.base import ImageRef

#: "image" and "mask" with their arrays; what a transform takes and gives.
Sample = dict[str, Array]
Transform = Callable[..., Any]
OUTPUTS = ("both", "image", "labels")


class Samples(Sequence[Sample]):
    """Samples of references: ``Samples(images, transform=normalise)[0]["image"]``.

    Parameters
    ----------
    images : sequence of ImageRef
    output : str
        "image", "labels" or "both": which of "image" and "mask" a sample has. With "both"
        an image without labels has no mask.
    transform : callable, optional
        Called as ``transform(image=..., mask=...)``, gives a dictionary with the same
        keys; :func:`bioimage_tasks.datasets.transforms.of_dict` makes one of a transform
        of dictionaries (MONAI's).
    """

    def __init__(
        self,
        images: Sequence[ImageRef],
        *,
        output: str = "both",
        transform: Transform | None = None,
    ) -> None:
        self._images = tuple(images)
        self.output = output
        self.transform = transform

    def images(self) -> list[ImageRef]:
        """Return the references."""
        return list(self._images)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._images)

    def __getitem__(self, index: Any) -> Any:
        """Read one sample, or take a slice of them, still unread."""
        if isinstance(index, slice):
            chosen = self._images[index]
            return Samples(chosen, output=self.output, transform=self.transform)
        return sample(self._images[index], self.output, self.transform)

    def __iter__(self) -> Iterator[Sample]:
        """Read the samples one after the other."""
        return (sample(image, self.output, self.transform) for image in self._images)


def sample(image: ImageRef, output: str = "both", transform: Transform | None = None) -> Sample:
    """Read one sample: ``sample(ref)["image"]``.

    Raises
    ------
    FileNotFoundError, ValueError
        A file is missing or unreadable, labels are asked for and there are none, or the
        transform gives no dictionary with the keys that it was given.
    """
    found: Sample = {}
    if output != "labels":
        pixels = image.read()
        # Pillow lends its memory, and training loops write into what they get.
        found["image"] = pixels if pixels.flags.writeable else pixels.copy()
    gold = None if output == "image" else image.gold
    if gold is not None:
        found["mask"] = gold.read()
    elif output == "labels":
        raise ValueError(f"sample: labels were asked for and {image.name} has none")
    if transform is None:
        return found
    changed = transform(**found)
    if not isinstance(changed, dict) or not set(found) <= set(changed):
        got = sorted(changed) if isinstance(changed, dict) else type(changed).__name__
        raise ValueError(
            f"sample: a transform must give a dictionary with {', '.join(found)}; got {got}"
        )
    return {key: changed[key] for key in found}
