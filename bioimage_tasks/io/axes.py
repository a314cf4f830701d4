"""Letters for the axes of files that don't name them.

A format's own letters and lengths come in, letters of TCZYXS go out. Must not read files.
"""

from __future__ import annotations

KNOWN = "TCZYXS"
#: An axis without a name and of at most this length is one of channels.
FEW = 4


def named(axes: str, shape: tuple[int, ...], source: object = "image") -> str:
    """Return a letter of TCZYXS for every axis: ``named("QYX", (3, 9, 9))`` is "CYX".

    Axes that have a name keep it. Of a nameless array of three axes the last is of
    channels when it has at most 4 elements; otherwise a nameless axis is of channels when
    it has at most 4, or else of depth, then of time.

    Parameters
    ----------
    axes : str
        The format's letters; those not in TCZYXS (tifffile's Q and I) are without meaning.
    shape : tuple of int
        Length of each.
    source : object
        Named in the error.

    Raises
    ------
    ValueError
        There are more axes than letters for them.
    """
    if not set(axes) - set(KNOWN) and len(set(axes)) == len(axes):
        return axes
    if len(shape) == 3 and shape[-1] <= FEW and not set(axes) & set("CZTS"):
        return "YXC"
    given = [axis if axis in KNOWN else "" for axis in axes]
    for place, axis in enumerate(given):
        if axis:
            continue
        free = [letter for letter in "CZT" if letter not in given]
        if shape[place] > FEW and "C" in free:
            free.remove("C")
        if not free:
            raise ValueError(
                f"open_image: an image has axes of {KNOWN}, one of each; got {axes} "
                f"{shape} in {source}"
            )
        given[place] = free[0]
    return "".join(given)
