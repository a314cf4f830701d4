"""Pieces of an over-segmentation that can be joined, and what is measured of them.

Labels and images come in; sums over pixels are kept per piece and per contact, so that
joining two adds them up. Rows of numbers go out for one piece and for two that touch;
lengths are in diameters of the typical piece, brightness in shares of the image's span.
Must not know any rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, sequential

Doubles = npt.NDArray[np.float64]


@dataclass
class Pieces:
    """Pieces by number; see :func:`pieces_of`. Joining makes a new number."""

    labels: Labels
    images: list[Doubles]  #: scaled: 5th percentile 0, 99.5th 1
    sums: dict[int, Doubles]  #: area, places, products of places, brightness and its square
    touching: dict[int, dict[int, Doubles]]  #: contact: faces, brightness on it
    free: dict[int, float]  #: faces towards background
    rim: dict[int, float]  #: faces on the rim of the image
    around: dict[int, Doubles]  #: brightness summed over those faces' outer side
    typical: float  #: area of the piece that covers the median pixel
    members: dict[int, tuple[int, ...]] = field(default_factory=dict)
    order: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    ends: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def alive(self) -> list[int]:
        """Return the numbers of the pieces that are not part of another."""
        return sorted(self.sums)

    def is_alive(self, one: int) -> bool:
        """Tell whether a piece has not been joined to another."""
        return one in self.sums

    def beside(self, one: int) -> list[int]:
        """Return the pieces that touch this one."""
        return sorted(self.touching[one])

    def contact(self, one: int, two: int) -> float:
        """Return the length of the contact of two pieces, faces."""
        return float(self.touching[one][two][0])

    def pairs(self) -> list[tuple[int, int]]:
        """Return all touching pairs, the lower number first."""
        return [(a, b) for a in self.alive() for b in self.beside(a) if a < b]

    def places(self, one: int) -> npt.NDArray[np.int64]:
        """Return the flat positions of a piece's pixels."""
        return np.concatenate(
            [self.order[self.ends[m - 1] : self.ends[m]] for m in self.members[one]]
        )

    def join(self, one: int, two: int) -> int:
        """Join two pieces and return the new number."""
        new = max(max(self.members), max(self.sums)) + 1
        self.members[new] = (*self.members[one], *self.members[two])
        for store in (self.sums, self.around):
            store[new] = store.pop(one) + store.pop(two)
        for faces in (self.free, self.rim):
            faces[new] = faces.pop(one) + faces.pop(two)
        mine: dict[int, Doubles] = {}
        for old in (one, two):
            for other, contact in self.touching.pop(old).items():
                if other in (one, two):
                    continue
                del self.touching[other][old]
                mine[other] = mine[other] + contact if other in mine else contact
        for other, contact in mine.items():
            self.touching[other][new] = contact
        self.touching[new] = mine
        return new

    def render(self, kept: list[int]) -> Labels:
        """Return sequential labels of the pieces named."""
        table = np.zeros(int(self.labels.max()) + 1, dtype=np.int32)
        for number, one in enumerate(kept, 1):
            table[list(self.members[one])] = number
        return sequential(table[self.labels])


def pieces_of(labels: Labels, images: list[Doubles]) -> Pieces:
    """Measure pieces and contacts.

    Parameters
    ----------
    labels : numpy.ndarray of int32
        Sequential, 2D or 3D.
    images : list of numpy.ndarray of float64
        Same shape.
    """
    scaled = [_scaled(image) for image in images]
    count = int(labels.max())
    flat = labels.ravel()
    area = np.bincount(flat, minlength=count + 1).astype(np.float64)
    order = np.argsort(flat, kind="stable")
    ends = np.cumsum(area.astype(np.int64))
    table = _sums(labels, scaled, area)
    typical = _typical(area[1:])
    touching, free, rim, around = _contacts(labels, scaled)
    numbers = range(1, count + 1)
    return Pieces(
        labels,
        scaled,
        {one: table[one] for one in numbers},
        touching,
        {one: float(free[one]) for one in numbers},
        {one: float(rim[one]) for one in numbers},
        {one: around[one] for one in numbers},
        typical,
        {one: (one,) for one in numbers},
        order,
        ends,
    )


def _scaled(image: Doubles) -> Doubles:
    low, high = np.percentile(image, (5, 99.5))
    scaled: Doubles = (image - low) / max(float(high - low), 1e-9)
    return scaled


def _typical(area: Doubles) -> float:
    if not len(area):
        return 1.0
    ordered = np.sort(area)
    weight = np.cumsum(ordered)
    return float(ordered[np.searchsorted(weight, weight[-1] / 2)])


def _sums(labels: Labels, images: list[Doubles], area: Doubles) -> Doubles:
    flat = labels.ravel()
    places = [place.ravel().astype(np.float64) for place in np.indices(labels.shape)]
    weights = list(places)
    weights += [places[i] * places[j] for i in range(len(places)) for j in range(i, len(places))]
    for image in images:
        weights += [image.ravel(), np.square(image.ravel())]
    sums = [np.bincount(flat, weights=weight, minlength=len(area)) for weight in weights]
    return np.column_stack([area, *sums])


def _contacts(
    labels: Labels, images: list[Doubles]
) -> tuple[dict[int, dict[int, Doubles]], Doubles, Doubles, Doubles]:
    size = int(labels.max()) + 1
    free, rim, around = np.zeros(size), np.zeros(size), np.zeros((size, len(images)))
    lows, highs, values = [], [], []
    for axis in range(labels.ndim):
        for end in (0, -1):
            rim += np.bincount(labels.take(end, axis).ravel(), minlength=size)
        before, after = range(labels.shape[axis] - 1), range(1, labels.shape[axis])
        one, two = labels.take(before, axis), labels.take(after, axis)
        differ = one != two
        one, two = one[differ], two[differ]
        light = [(i.take(before, axis)[differ], i.take(after, axis)[differ]) for i in images]
        for mine, other, side in ((one, two, 1), (two, one, 0)):
            out = (other == 0) & (mine > 0)
            free += np.bincount(mine[out], minlength=size)
            for k, pair in enumerate(light):
                around[:, k] += np.bincount(mine[out], weights=pair[side][out], minlength=size)
        both = (one > 0) & (two > 0)
        lows.append(np.minimum(one, two)[both])
        highs.append(np.maximum(one, two)[both])
        means = [(a[both] + b[both]) / 2 for a, b in light]
        values.append(np.column_stack([np.ones(np.count_nonzero(both)), *means]))
    low, high = np.concatenate(lows).astype(np.int64), np.concatenate(highs)
    keys, inverse = np.unique(low * size + high, return_inverse=True)
    stacked = np.concatenate(values)
    total = np.column_stack(
        [np.bincount(inverse, weights=v, minlength=len(keys)) for v in stacked.T]
    )
    touching: dict[int, dict[int, Doubles]] = {one: {} for one in range(1, size)}
    for key, row in zip(keys, total, strict=True):
        a, b = divmod(int(key), size)
        touching[a][b] = row
        touching[b][a] = row
    return touching, free, rim, around


def _shape(sums: Doubles, faces: float, dimensions: int) -> list[float]:
    """Return ellipticity, roundness and elongation of the sums of one object."""
    area = sums[0]
    mean = sums[1 : 1 + dimensions] / area
    moments = np.empty((dimensions, dimensions))
    upper = np.triu_indices(dimensions)
    products = sums[1 + dimensions : 1 + dimensions + len(upper[0])] / area
    moments[upper] = products - mean[upper[0]] * mean[upper[1]]
    moments.T[upper] = moments[upper]
    moments += np.eye(dimensions) / 12
    spread = np.maximum(np.linalg.eigvalsh(moments), 1 / 12)
    axes = np.sqrt((dimensions + 2) * spread)
    ball = math.pi if dimensions == 2 else 4 / 3 * math.pi
    disc = 2 * math.sqrt(math.pi * area) if dimensions == 2 else _sphere(area)
    outline = faces * (math.pi / 4 if dimensions == 2 else 2 / 3)
    return [
        float(area / (ball * axes.prod())),
        float(disc / max(outline, 1e-9)),
        float(math.log2(axes.max() / axes.min())),
    ]


def _sphere(volume: float) -> float:
    return float((36 * math.pi * volume**2) ** (1 / 3))


def _faces(pieces: Pieces, one: int) -> float:
    inner = sum(float(contact[0]) for contact in pieces.touching[one].values())
    return pieces.free[one] + pieces.rim[one] + inner


def _light(pieces: Pieces, sums: Doubles) -> list[tuple[float, float]]:
    dimensions = pieces.labels.ndim
    first = 1 + dimensions + dimensions * (dimensions + 1) // 2
    found = []
    for k in range(len(pieces.images)):
        mean, square = sums[first + 2 * k] / sums[0], sums[first + 2 * k + 1] / sums[0]
        found.append((float(mean), math.sqrt(max(float(square - mean * mean), 0.0))))
    return found


def object_row(pieces: Pieces, one: int) -> list[float]:
    """Return what is measured of one piece: size, shape, surroundings, brightness."""
    sums, faces = pieces.sums[one], _faces(pieces, one)
    row = [math.log2(sums[0] / pieces.typical), *_shape(sums, faces, pieces.labels.ndim)]
    row += [pieces.free[one] / max(faces, 1.0), pieces.rim[one] / max(faces, 1.0)]
    for k, (mean, spread) in enumerate(_light(pieces, sums)):
        outside = pieces.around[one][k] / pieces.free[one] if pieces.free[one] else mean
        row += [mean, spread, mean - outside]
    return row


def pair_row(pieces: Pieces, one: int, two: int) -> list[float]:
    """Return what is measured of two touching pieces, in an order that does not matter."""
    a, b = pieces.sums[one], pieces.sums[two]
    lesser, greater = (one, two) if (a[0], one) <= (b[0], two) else (two, one)
    dimensions = pieces.labels.ndim
    contact = pieces.touching[one][two]
    small, large = pieces.sums[lesser], pieces.sums[greater]
    faces = [_faces(pieces, lesser), _faces(pieces, greater)]
    joined = _shape(a + b, sum(faces) - 2 * contact[0], dimensions)
    parts = [_shape(small, faces[0], dimensions), _shape(large, faces[1], dimensions)]
    width = small[0] ** ((dimensions - 1) / dimensions)
    typical = pieces.typical
    row = [
        contact[0] / width,
        contact[0] / max(faces[0], 1.0),
        math.log2(small[0] / typical),
        math.log2(large[0] / typical),
        math.log2((a[0] + b[0]) / typical),
        *joined,
        *parts[0][:2],
        *parts[1][:2],
        joined[0] - min(parts[0][0], parts[1][0]),
        joined[1] - min(parts[0][1], parts[1][1]),
    ]
    for k, (mine, other) in enumerate(
        zip(_light(pieces, small), _light(pieces, large), strict=True)
    ):
        bridge = contact[1 + k] / contact[0]
        row += [
            bridge - min(mine[0], other[0]),
            bridge / max(max(mine[0], other[0]), 1e-6),
            abs(mine[0] - other[0]),
            max(mine[1], other[1]),
        ]
    return [float(value) for value in row]
