"""Polygons around objects, as Aperio's ImageScope writes them in XML.

A :class:`Source` with the XML and an image of the size comes in, an integer image goes out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.datasets.annotations.overlap import paint
from bioimage_tasks.datasets.annotations.registry import Source, register


@register("polygons-xml")
def polygons_xml(source: Source) -> Array:
    """``Region`` elements, each with ``Vertex`` elements of X (column) and Y (row) in pixels.

    Numbered in the order of the file; overlaps as :func:`paint` has them; a region with
    fewer than 3 corners is no object.

    Parameters
    ----------
    source : Source
        An XML file, with ``like`` an image of the size.

    Raises
    ------
    ValueError
        The file is not XML, has no regions or a corner without numbers.
    """
    from xml.etree import ElementTree

    try:
        root = ElementTree.parse(source.path).getroot()
        regions = [
            np.array([[float(corner.attrib[axis]) for axis in "YX"] for corner in found])
            for found in (list(region.iter("Vertex")) for region in root.iter("Region"))
            if len(found) > 2
        ]
    except (ElementTree.ParseError, KeyError, ValueError) as trouble:
        raise ValueError(
            f"polygons-xml: the file must be XML with Region and Vertex X= Y=; "
            f"got {source.path}: {trouble}"
        ) from trouble
    shape = source.shape("polygons-xml")
    return paint(shape, [polygon_pixels([region], shape) for region in regions])


def polygon_pixels(outlines: Sequence[Array], shape: tuple[int, int]) -> tuple[Array, Array]:
    """Return (rows, columns) of the pixels whose centres lie in any of the polygons.

    Parameters
    ----------
    outlines : sequence of numpy.ndarray of float
        Each of shape (corners, 2): row, column in pixels; fewer than 3 corners enclose
        nothing.
    shape : tuple of int
        (height, width); what lies outside is cut off.
    """
    from skimage.draw import polygon

    found = [polygon(each[:, 0], each[:, 1], shape) for each in outlines if len(each) > 2]
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if len(found) == 1:
        return found[0][0], found[0][1]
    flat = [rows * shape[1] + columns for rows, columns in found]
    rows, columns = np.divmod(np.unique(np.concatenate(flat)), shape[1])
    return rows, columns
