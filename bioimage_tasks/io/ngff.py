"""What OME-Zarr says of an image: axes, levels, the size and place of their pixels.

The attributes of a group come in and :class:`Multiscale` goes out, or the reverse. Must not
read files.

Source: the OME-NGFF specification, versions 0.4 and 0.5, https://ngff.openmicroscopy.org;
Moore et al. 2021, doi:10.1038/s41592-021-01326-w. Of versions 0.1-0.3, which knew neither
types of axes nor scales, what is there is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bioimage_tasks.io.image import Level
from bioimage_tasks.io.pixelsize import micrometres

VERSIONS = ("0.4", "0.5")
_TYPES = {"time": "T", "channel": "C"}


class Scale(NamedTuple):
    """One level: the place of pixel i along an axis is ``scale * i + shift``."""

    path: str
    scale: tuple[float, ...]
    shift: tuple[float, ...]


class Multiscale(NamedTuple):
    """An image at several levels, the finest first."""

    axes: str  # letters of TCZYX
    units: tuple[str, ...]  # one an axis, "" where there is none
    scales: tuple[Scale, ...]

    def level(self, number: int, shape: Sequence[int]) -> Level:
        """Return size and place of the pixels of a level in micrometres, where it tells."""
        scale = self.scales[number]
        size, origin = {}, {}
        for place, axis in enumerate(self.axes):
            found = micrometres(scale.scale[place], self.units[place])
            if found:
                size[axis] = found
                origin[axis] = found * scale.shift[place] / scale.scale[place]
        return Level(tuple(shape), size, origin)


def parse(attributes: Mapping[str, Any]) -> Multiscale:
    """Read the attributes of a group: ``parse(dict(group.attrs))``.

    Raises
    ------
    ValueError
        They are not of an image, or of one that the specification does not allow.
    """
    found = attributes.get("ome", attributes)
    if "multiscales" not in found:
        raise ValueError(f"its attributes must have 'multiscales'; got {_kind(found)}")
    try:
        first = found["multiscales"][0]
        datasets = first["datasets"]
        rank = _rank(first, datasets)
        named = [_named(each) for each in first.get("axes") or "tczyx"[-rank:]]
        shared = first.get("coordinateTransformations", [])
        scales = []
        for each in datasets:
            own = each.get("coordinateTransformations", [])
            scales.append(Scale(str(each["path"]), *_transformed([*own, *shared], rank)))
    except (KeyError, IndexError, TypeError, AttributeError) as trouble:
        raise ValueError(f"'multiscales' must be as in OME-NGFF; got {trouble!r}") from trouble
    axes = "".join(_letter(each) for each in named)
    if len(set(axes)) < len(axes) or len(axes) != rank or not scales:
        raise ValueError(f"there must be levels, with one axis each of TCZYX; got {named}")
    return Multiscale(axes, tuple(str(each.get("unit") or "") for each in named), tuple(scales))


def _kind(found: Mapping[str, Any]) -> str:
    """Return what a group without an image is, and what to open in its place."""
    if "plate" in found:
        wells = [str(each.get("path")) for each in found["plate"].get("wells", [])][:3]
        return f"a plate: open a field of a well, PATH/{wells[0] if wells else 'A/1'}/0"
    if "well" in found:
        fields = [str(each.get("path")) for each in found["well"].get("images", [])][:3]
        return f"a well: open one of its fields, PATH/{fields[0] if fields else '0'}"
    if "bioformats2raw.layout" in found:
        return "a collection of images: open one of them, PATH/0"
    if "labels" in found:
        return f"a group of labels: open PATH/{next(iter(found['labels']), 'NAME')}"
    return f"only {sorted(found)}"


def _rank(first: Mapping[str, Any], datasets: Sequence[Mapping[str, Any]]) -> int:
    if first.get("axes"):
        return len(first["axes"])
    for each in datasets[0].get("coordinateTransformations", []):
        if "scale" in each:
            return len(each["scale"])
    return 5


def _named(axis: Any) -> dict[str, Any]:
    return axis if isinstance(axis, dict) else {"name": axis}


def _letter(axis: Mapping[str, Any]) -> str:
    """Return T, C, Z, Y or X: time and channels by their type, space by its name."""
    name, kind = str(axis["name"]).upper(), axis.get("type")
    if kind == "space" or name in "TCZYX":
        if name not in ("Z", "Y", "X") and kind == "space":
            raise ValueError(f"an axis in space must be called x, y or z; got {axis['name']!r}")
        return name
    # An axis of a type of its own, as of phases or angles, stands in the place of channels.
    return _TYPES.get(str(kind), "C")


def _transformed(
    steps: Sequence[Mapping[str, Any]], rank: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what scales and translations one after the other come to."""
    scale, shift = [1.0] * rank, [0.0] * rank
    for step in steps:
        kind = step["type"]
        if kind not in ("scale", "translation", "identity") or "path" in step:
            raise ValueError(
                f"coordinateTransformations must be scales and translations in numbers, "
                f"version 0.4 or 0.5; got {dict(step)}"
            )
        values = [float(value) for value in step.get(kind, [])]
        if kind != "identity" and len(values) != rank:
            raise ValueError(f"{kind} must have a number for each of {rank} axes; got {values}")
        if kind == "scale":
            scale = [own * value for own, value in zip(scale, values, strict=True)]
            shift = [own * value for own, value in zip(shift, values, strict=True)]
        elif kind == "translation":
            shift = [own + value for own, value in zip(shift, values, strict=True)]
    if not all(value > 0 for value in scale):
        raise ValueError(f"every scale must be positive; got {scale}")
    return tuple(scale), tuple(shift)


def describe(
    image: Multiscale, version: str, *, name: str, way: str, labels: bool = False
) -> dict[str, Any]:
    """Return the attributes of the group of an image, or of labels of one.

    Parameters
    ----------
    image : Multiscale
    version : str
        One of :data:`VERSIONS`.
    name : str
        Of the image.
    way : str
        How a level is made of the one before.
    labels : bool
        Whether it lies in the group ``labels`` of its image.
    """
    scales: dict[str, Any] = {
        "name": name,
        "axes": [_axis(*each) for each in zip(image.axes, image.units, strict=True)],
        "datasets": [_dataset(each) for each in image.scales],
        "type": way,
    }
    if version == "0.4":
        scales = {"version": version, **scales}
    found: dict[str, Any] = {"multiscales": [scales]}
    if labels:
        own = {"version": version} if version == "0.4" else {}
        found["image-label"] = {**own, "source": {"image": "../../"}}
    return in_version(found, version)


def in_version(attributes: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the attributes where the version looks for them."""
    return attributes if version == "0.4" else {"ome": {"version": version, **attributes}}


def _axis(letter: str, unit: str) -> dict[str, str]:
    kind = {"T": "time", "C": "channel"}.get(letter, "space")
    return {"name": letter.lower(), "type": kind, **({"unit": unit} if unit else {})}


def _dataset(scale: Scale) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": list(scale.scale)}]
    if any(scale.shift):
        steps.append({"type": "translation", "translation": list(scale.shift)})
    return {"path": scale.path, "coordinateTransformations": steps}
