"""Images in and out: PNG, JPEG and BMP through Pillow, TIFF and OME-TIFF through tifffile.

A path comes in and an array in the file's own dtype goes out, or the reverse. Nothing is
scaled or converted on the way. This is the only module that decodes pixels. It must not
know what an image is of, or which files belong together.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_labels, sequential

PILLOW_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".dib")
TIFF_SUFFIXES = (".tif", ".tiff")
SUFFIXES = PILLOW_SUFFIXES + TIFF_SUFFIXES

#: Region of an image: top, left, bottom, right in pixels, the last two exclusive.
Region = tuple[int, int, int, int]


def read_image(path: str | os.PathLike[str]) -> Array:
    """Read an image as it is: ``read_image("nuclear.png")``.

    Parameters
    ----------
    path : str or path
        Ends with one of :data:`SUFFIXES`; the suffix chooses the reader.

    Returns
    -------
    numpy.ndarray
        Native dtype. Shape (height, width) or (height, width, samples); a TIFF has its
        own order of axes, lengths of 1 dropped by the file's series.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The suffix is unknown, or the file is damaged or not what its suffix says.
    """
    source = _existing("read_image", path)
    from PIL import UnidentifiedImageError

    try:
        return _read_tiff(source) if _is_tiff(source) else _read_pillow(source)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as trouble:
        raise ValueError(
            f"read_image: the file must be a whole image of the kind its suffix names; "
            f"got {source}: {trouble}"
        ) from trouble


def image_shape(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return the shape of an image from its header, pixels unread.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_image`.
    """
    source = _existing("image_shape", path)
    if _is_tiff(source):
        from tifffile import TiffFile, TiffFileError

        try:
            with TiffFile(source) as tiff:
                return tuple(int(size) for size in tiff.series[0].shape)
        except TiffFileError as trouble:
            raise ValueError(
                f"image_shape: the file must be a TIFF; got {source}: {trouble}"
            ) from trouble
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source) as image:
            samples = len(image.getbands())
            size = (image.height, image.width)
    except UnidentifiedImageError as trouble:
        raise ValueError(
            f"image_shape: the file must be an image; got {source}: {trouble}"
        ) from trouble
    return size if samples == 1 else (*size, samples)


def _existing(function: str, path: str | os.PathLike[str]) -> Path:
    source = Path(path)
    if source.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{function}: the file name must end with one of {', '.join(SUFFIXES)}; got {source}"
        )
    if not source.is_file():
        raise FileNotFoundError(f"{function}: no such file: {source}")
    return source


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in TIFF_SUFFIXES


def _read_tiff(path: Path) -> Array:
    from tifffile import imread

    return np.asarray(imread(path))


def _read_pillow(path: Path) -> Array:
    from PIL import Image

    with Image.open(path) as image:
        # A palette image shows colours; its index numbers mean nothing to a reader.
        return np.asarray(image.convert("RGB") if image.mode == "P" else image)


def one_channel(image: Array, channel: int | None = None, source: object = "image") -> Array:
    """Return one channel as (height, width): ``one_channel(rgb, 2)``.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (height, width), or (height, width, samples) with at most 4 samples, or
        (channels, height, width) with at most 4 channels.
    channel : int, optional
        Which one. Needed unless all (an alpha channel apart) are equal.
    source : object
        Named in the error.

    Raises
    ------
    ValueError
        The shape is none of these, the channel does not exist, or several differ and
        none was chosen.
    """
    if image.ndim == 2 and not channel:
        return image
    channels = _channels(image, source)
    if channel is not None:
        if not 0 <= channel < len(channels):
            raise ValueError(
                f"one_channel: channel must lie in 0..{len(channels) - 1} for {source}; "
                f"got {channel}"
            )
        return channels[channel]
    colours = channels[:-1] if len(channels) in (2, 4) and image.shape[-1] <= 4 else channels
    if all(np.array_equal(colours[0], other) for other in colours[1:]):
        return colours[0]
    raise ValueError(
        f"one_channel: channels of {source} differ; choose one with channel=0.."
        f"{len(channels) - 1}; got shape {image.shape} and no channel"
    )


def _channels(image: Array, source: object) -> list[Array]:
    if image.ndim == 2:
        return [image]
    if image.ndim == 3 and image.shape[-1] <= 4:
        return [np.ascontiguousarray(image[..., index]) for index in range(image.shape[-1])]
    if image.ndim == 3 and image.shape[0] <= 4:
        return list(image)
    raise ValueError(
        f"one_channel: needs (height, width) with up to 4 channels, choose a plane first; "
        f"got shape {image.shape} of {source}"
    )


def read_labels(path: str | os.PathLike[str]) -> Labels:
    """Read a label image: ``read_labels("labels/dna-00.png")``.

    Grey values are object numbers, 0 is background. In an RGB image every colour but
    black is one object; three equal channels count as one grey value.

    Returns
    -------
    numpy.ndarray of int32
        Sequential labels 1..N.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_image`; or the values are not integers.
    """
    image = _indices(path)
    if image.ndim == 3 and image.shape[-1] in (3, 4):
        red, green, blue = (image[..., index].astype(np.int64) for index in range(3))
        same = np.array_equal(red, green) and np.array_equal(red, blue)
        bits = 8 * image.dtype.itemsize
        image = red if same else (red << 2 * bits) | (green << bits) | blue
    check_labels(f"read_labels({os.fspath(path)})", "the image", image)
    return sequential(image)


def _indices(path: str | os.PathLike[str]) -> Array:
    """Return the pixels, of a palette image its index numbers."""
    source = _existing("read_labels", path)
    if source.suffix.lower() == ".png":
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(source) as image:
                if image.mode == "P":
                    return np.asarray(image)
        except UnidentifiedImageError as trouble:
            raise ValueError(
                f"read_labels: the file must be an image; got {source}: {trouble}"
            ) from trouble
    return read_image(source)


def write_image(path: str | os.PathLike[str], image: npt.NDArray[Any]) -> None:
    """Write an image whole or not at all: ``write_image("overlay.png", rgb)``.

    Parameters
    ----------
    path : str or path
        Ends with ``.png``, ``.bmp`` or ``.tif``/``.tiff``; missing folders are made.
    image : numpy.ndarray
        PNG: uint8 or bool of shape (height, width[, 3 or 4]), or uint16 (height, width).
        TIFF: any dtype and shape, compressed without loss.

    Raises
    ------
    ValueError
        The suffix can't hold images of this dtype and shape.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in (".png", ".bmp", *TIFF_SUFFIXES):
        raise ValueError(
            f"write_image: the file name must end with .png, .bmp or .tif (JPEG loses "
            f"detail); got {target}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed: a reader, or a second worker, never meets half a file.
    draft = target.with_name(f".{target.stem}.{os.getpid()}{suffix}")
    try:
        if _is_tiff(target):
            _write_tiff(draft, image)
        else:
            _write_pillow(draft, target, image)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _write_tiff(draft: Path, image: Array) -> None:
    from tifffile import imwrite

    photometric = "rgb" if image.ndim == 3 and image.shape[-1] in (3, 4) else "minisblack"
    imwrite(draft, image, compression="zlib", photometric=photometric)


def _write_pillow(draft: Path, target: Path, image: Array) -> None:
    from PIL import Image

    grey = image.ndim == 2 and image.dtype in (np.uint8, np.bool_, np.uint16)
    colour = image.ndim == 3 and image.shape[-1] in (3, 4) and image.dtype == np.uint8
    if not (grey or colour) or (target.suffix.lower() == ".bmp" and image.dtype == np.uint16):
        raise ValueError(
            f"write_image: {target.suffix} holds uint8 (grey, RGB, RGBA), bool or, as PNG, "
            f"uint16 (grey); convert or use .tif; got {image.dtype} {image.shape} for {target}"
        )
    Image.fromarray(image).save(draft)


def write_labels(path: str | os.PathLike[str], labels: Labels) -> None:
    """Write labels without loss: uint16 PNG up to 65,535 objects, or TIFF.

    Raises
    ------
    ValueError
        Not labels, or too many for a PNG.
    """
    numbers = check_labels("write_labels", "labels", labels)
    if _is_tiff(Path(path)):
        write_image(path, numbers)
        return
    if int(numbers.max()) > np.iinfo(np.uint16).max:
        raise ValueError(
            f"write_labels: a PNG holds 65,535 objects; use .tif; got {int(numbers.max())}"
        )
    write_image(path, numbers.astype(np.uint16))
