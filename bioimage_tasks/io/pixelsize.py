"""How large a pixel is, in micrometres, as files tell it.

Metadata of a file come in, a mapping from axis to micrometres goes out; what is not told,
or only for print, is absent.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

#: Micrometres in a unit, by the names that files use.
MICROMETRES = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0,
    "micrometer": 1.0, "micrometre": 1.0, "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3, "cm": 1e4, "centimeter": 1e4, "m": 1e6,
    "meter": 1e6, "metre": 1e6, "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4, "inch": 25_400.0,
}  # fmt: skip
#: Pixels coarser than this, in micrometres, are those of a page in print (508 dpi).
PRINT = 50.0


def micrometres(value: object, unit: str) -> float | None:
    """Return a length in micrometres: ``micrometres("65", "nm")`` is 0.065.

    ``None`` when the unit is no length or the value is no positive number.
    """
    factor = MICROMETRES.get(unit.strip().lower())
    try:
        length = float(value) * factor if factor else 0.0  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return length if isfinite(length) and length > 0 else None


def of_tiff(tiff: Any) -> dict[str, float]:
    """Return the sizes that an open TIFF tells: OME-XML first, ImageJ's tags, resolution."""
    if tiff.ome_metadata:
        return of_ome(tiff.ome_metadata)
    page = tiff.pages[0]
    if tiff.imagej_metadata:
        unit = str(tiff.imagej_metadata.get("unit", ""))
        found = _per_unit(page, unit)
        depth = micrometres(tiff.imagej_metadata.get("spacing"), unit)
        return found | ({"Z": depth} if depth else {})
    units = {2: "inch", 3: "cm"}
    unit = units.get(int(getattr(page.tags.get("ResolutionUnit"), "value", 1)), "")
    return {axis: size for axis, size in _per_unit(page, unit).items() if size < PRINT}


def _per_unit(page: Any, unit: str) -> dict[str, float]:
    found = {}
    for axis in "YX":
        tag = page.tags.get(f"{axis}Resolution")
        numerator, denominator = tag.value if tag is not None else (0, 1)
        size = micrometres(denominator / numerator, unit) if numerator else None
        if size:
            found[axis] = size
    return found


def of_ome(xml: str) -> dict[str, float]:
    """Return the sizes that OME-XML tells of its first image.

    Source: the schema of 2016-06, where a missing unit means micrometres.
    """
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return {}
    pixels = next((each for each in root.iter() if each.tag.endswith("}Pixels")), None)
    found = {}
    for axis in "ZYX" if pixels is not None else "":
        value = pixels.get(f"PhysicalSize{axis}")  # type: ignore[union-attr]
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")  # type: ignore[union-attr]
        size = micrometres(value, unit)
        if size:
            found[axis] = size
    return found
