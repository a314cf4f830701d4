"""One channel of an array whose axes are not named, as Pillow and plain TIFFs give it.

Arrays come in and go out. Must not read files.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array


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
