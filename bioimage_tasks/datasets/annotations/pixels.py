"""Annotations that are images: labels, foreground, outlines, values with components.

A :class:`Source` comes in, an integer image of object numbers goes out. Must not know any
collection.
"""

from __future__ import annotations

from bioimage_tasks.checks import Array, Labels, Mask, check_choice
from bioimage_tasks.datasets.annotations.overlap import paint
from bioimage_tasks.datasets.annotations.registry import Source, register


@register("instances")
def instances(source: Source, *, channel: int | None = None, flip: str = "") -> Array:
    """Object numbers as grey values or colours: see :func:`bioimage_tasks.io.read_labels`.

    Parameters
    ----------
    source : Source
        One label image.
    channel : int, optional
        The sample that holds the numbers; otherwise a colour is an object.
    flip : str
        "y" for an annotation that lies upside down, "x" for a mirrored one.
    """
    from bioimage_tasks.io import one_channel, read_image, read_labels

    if channel is None:
        labels = read_labels(source.path, level=source.level, resolution=source.resolution)
        return flipped(labels, flip)
    image = read_image(source.path, level=source.level, resolution=source.resolution)
    return flipped(one_channel(image, channel, source.path), flip)


@register("foreground")
def foreground(
    source: Source,
    *,
    channel: int | None = None,
    equals: int | None = None,
    invert: bool = False,
    flip: str = "",
) -> Array:
    """Foreground and background only: objects are the 8-connected components.

    Parameters
    ----------
    source : Source
        One image, not 0 where an object is.
    channel : int, optional
        Which sample says so; otherwise any.
    equals : int, optional
        Foreground is where the value is this one.
    invert : bool
        Foreground is 0 and background is not.
    flip : str
        "y" for an annotation that lies upside down, "x" for a mirrored one.
    """
    return _components(flipped(_mask(source.path, channel, equals, invert), flip))


@register("components")
def components(source: Source, *, channel: int = 0, flip: str = "") -> Array:
    """Small values that only tell touching objects apart: components of every value.

    BBBC039 writes 1 where an object stands alone and 2, 3... where it touches others, so
    that one value occurs in many objects.

    Parameters
    ----------
    source : Source
        One image, 0 in the background.
    channel : int
        The sample that holds the values.
    flip : str
        "y" for an annotation that lies upside down, "x" for a mirrored one.
    """
    from skimage.measure import label

    numbered: Array = label(flipped(_samples(source.path, channel), flip), background=0)
    return numbered


@register("outlines")
def outlines(
    source: Source,
    *,
    channel: int | None = None,
    equals: int | None = None,
    invert: bool = False,
    flip: str = "",
    line: float = 2.0,
    background: str = "largest",
    least: float = 0.02,
) -> Array:
    """Fill closed lines around objects: what they enclose, and the lines, are the objects.

    A region that the image's border closes off is an object too. Lines that enclose
    nothing are dropped. A pixel of a line goes to the nearest object.

    Parameters
    ----------
    source : Source
        One image, not 0 on the lines.
    channel, equals, invert, flip
        As in :func:`foreground`, of the lines.
    line : float
        Pixels of a line up to this distance in pixels from an object belong to it.
    background : str
        "largest": the largest region is background; "border": every region that touches
        the image's border is.
    least : float
        A region smaller than this part of the typical object's area (the median of areas,
        weighted by area) is a gap between ragged lines and counts as line.
    """
    import numpy as np
    from scipy import ndimage

    check_choice("outlines", "background", background, ("largest", "border"))
    lines = flipped(_mask(source.path, channel, equals, invert), flip)
    regions, count = ndimage.label(~lines)  # 4-connected: a line may be 8-connected
    if count == 0:
        return np.zeros(lines.shape, np.int32)
    if background == "largest":
        outside = np.array([1 + int(np.argmax(np.bincount(regions.ravel())[1:]))])
    else:
        edge = [regions[0], regions[-1], regions[:, 0], regions[:, -1]]
        outside = np.unique(np.concatenate(edge))
    objects = np.where(np.isin(regions, outside), 0, regions)
    if not objects.any():
        return objects.astype(np.int32)
    areas = np.bincount(objects.ravel())
    areas[0] = 0
    by_area = np.sort(areas)
    typical = by_area[np.searchsorted(np.cumsum(by_area), areas.sum() / 2)]
    gaps = (areas < least * typical)[objects] & (objects > 0)
    objects[gaps] = 0
    far, nearest = ndimage.distance_transform_edt(objects == 0, return_indices=True)
    near = (lines | gaps) & (far <= line)
    grown: Array = np.where(near, objects[tuple(nearest)], objects)
    return grown


@register("masks")
def masks(
    source: Source, *, channel: int | None = None, invert: bool = False, flip: str = ""
) -> Array:
    """One image for every object, numbered in the order of the files.

    An empty image is no object. Where two overlap see
    :func:`bioimage_tasks.datasets.annotations.overlap.paint`.

    Parameters
    ----------
    source : Source
        One image per object, not 0 in the object.
    channel, invert, flip
        As in :func:`foreground`.

    Raises
    ------
    ValueError
        The images differ in shape.
    """
    import numpy as np

    shape: tuple[int, ...] | None = None
    found = []
    for path in source.paths:
        mask = _mask(path, channel, None, invert)
        shape = shape or mask.shape
        if mask.shape != shape:
            raise ValueError(
                f"masks: every object's mask must have the shape of the first, {shape}; "
                f"got {mask.shape} in {path}"
            )
        found.append(np.nonzero(mask))
    assert shape is not None
    return flipped(paint((shape[0], shape[1]), found), flip)


def flipped(image: Array, flip: str) -> Array:
    """Return the image turned upside down ("y"), mirrored ("x") or as it is ("")."""
    check_choice("flip", "flip", flip, ("", "y", "x"))
    if flip:
        return image[::-1] if flip == "y" else image[:, ::-1]
    return image


def _mask(path: str, channel: int | None, equals: int | None, invert: bool) -> Mask:
    import numpy as np

    from bioimage_tasks.io import read_image

    if channel is not None:
        image = _samples(path, channel)
    else:
        image = read_image(path)
        if image.ndim == 3 and image.shape[-1] in (2, 4):
            image = image[..., :-1]  # alpha says what is drawn, not what is annotated
    on = image != 0 if equals is None else image == equals
    if on.ndim == 3:
        on = on.any(axis=-1) if equals is None else on.all(axis=-1)
    mask: Mask = ~np.asarray(on) if invert else np.asarray(on)
    return mask


def _samples(path: str, channel: int) -> Array:
    from bioimage_tasks.io import one_channel, read_image

    return one_channel(read_image(path), channel, path)


def _components(mask: Mask) -> Labels:
    from skimage.measure import label

    numbered: Labels = label(mask, connectivity=2)
    return numbered
