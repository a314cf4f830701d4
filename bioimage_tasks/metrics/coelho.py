"""The measures of Coelho, Shariff and Murphy (ISBI 2009), which no library offers.

Label images and their :class:`Contingency` come in, counts and distances go out.
Source: "Nuclear segmentation in microscope cell images: a hand-segmented dataset and
comparison of algorithms", 518-521, doi:10.1109/ISBI.2009.5193098.

Every object is *assigned* to the region of the other image, background included, with
which it shares most pixels (a tie goes to the lower number, so to background first).
Then, as exact counts, without the pooling of the last two labels in the published code:

- **split**: labelled objects assigned to a gold object that has another one already;
- **merged**: gold objects assigned to a labelled object that has another one already;
- **spurious** (their "added"): labelled objects assigned to background;
- **missing**: gold objects assigned to background.

Distances go to the border of the assigned gold object, measured over the whole image
and not over the joint box of the two (the published table crops, which gives larger
values: a mean threshold on the U2OS images 17.3 instead of 14.0 pixels). For a labelled
object S with gold object R, and D the distance to R's border in pixels:

- **NSD** = sum of D over pixels in only one of R and S / sum of D over pixels in either;
- **Hausdorff** = greatest D over pixels in only one of R and S.

A spurious object has NSD 1 and no Hausdorff distance. Missing objects do not enter. An
image's value is the mean over its labelled objects; without any object to measure,
NSD is 1 and Hausdorff 128, as in the paper, unless the gold standard is empty too
(both 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioimage_tasks.checks import Labels, Mask
from bioimage_tasks.metrics.contingency import Contingency, Floats, Integers

#: Hausdorff distance of an image in which nothing can be measured, in pixels.
NO_OBJECT_HAUSDORFF = 128.0


@dataclass(frozen=True)
class Assignment:
    """For each object of one image the number of its region in the other, 0 = background."""

    labels_to_gold: Integers  #: shape (labelled objects,)
    gold_to_labels: Integers  #: shape (gold objects,)

    @property
    def split(self) -> int:
        """Labelled objects beyond the first of their gold object."""
        return _surplus(self.labels_to_gold)

    @property
    def merged(self) -> int:
        """Gold objects beyond the first of their labelled object."""
        return _surplus(self.gold_to_labels)

    @property
    def spurious(self) -> int:
        """Labelled objects that are mostly background."""
        return int(np.count_nonzero(self.labels_to_gold == 0))

    @property
    def missing(self) -> int:
        """Gold objects that are mostly background in the labels."""
        return int(np.count_nonzero(self.gold_to_labels == 0))


def _surplus(assigned: Integers) -> int:
    real = assigned[assigned > 0]
    return len(real) - len(np.unique(real))


def assign(table: Contingency) -> Assignment:
    """Assign every object by majority: ``assign(contingency(labels, gold)).missing``."""
    return Assignment(
        labels_to_gold=_majority(table.label, table.gold, table.shared, table.n_labels),
        gold_to_labels=_majority(table.gold, table.label, table.shared, table.n_gold),
    )


def _majority(of: Integers, to: Integers, shared: Integers, count: int) -> Integers:
    order = np.lexsort((to, -shared, of))
    owners, first = np.unique(of[order], return_index=True)
    best = np.zeros(count + 1, dtype=np.int64)
    best[owners] = to[order][first]
    return best[1:]


@dataclass(frozen=True)
class Distances:
    """NSD and Hausdorff distance of each labelled object that has a gold object.

    Attributes
    ----------
    nsd : numpy.ndarray of float, shape (labelled objects,)
        1 for spurious ones.
    hausdorff : numpy.ndarray of float, shape (labelled objects that are not spurious,)
        Pixels.
    """

    nsd: Floats
    hausdorff: Floats
    n_gold: int

    @property
    def mean_nsd(self) -> float:
        """Mean over objects; see the module for images without any."""
        return self._mean(self.nsd, 1.0)

    @property
    def mean_hausdorff(self) -> float:
        """Mean over objects in pixels; see the module for images without any."""
        return self._mean(self.hausdorff, NO_OBJECT_HAUSDORFF)

    def _mean(self, values: Floats, none: float) -> float:
        if len(values):
            return float(values.mean())
        return none if self.n_gold or len(self.nsd) else 0.0


def distances(labels: Labels, gold: Labels, assigned: Integers) -> Distances:
    """Measure all objects: ``distances(labels, gold, assign(table).labels_to_gold)``.

    Parameters
    ----------
    labels, gold : numpy.ndarray of int32
        Sequential labels, same shape, 2D or 3D.
    assigned : numpy.ndarray of int64
        Gold number of each labelled object.
    """
    from scipy.ndimage import find_objects

    nsd = np.ones(len(assigned))
    farthest = []
    theirs, truth = find_objects(labels), find_objects(gold)
    for index, goal in enumerate(assigned):
        if goal == 0:
            continue
        box = _joint(theirs[index], truth[goal - 1], labels.shape)
        nsd[index], far = border_distances(labels[box] == index + 1, gold[box] == goal)
        farthest.append(far)
    return Distances(nsd, np.asarray(farthest, dtype=np.float64), int(gold.max()))


def _joint(
    one: tuple[slice, ...], two: tuple[slice, ...], shape: tuple[int, ...]
) -> tuple[slice, ...]:
    # One more pixel all around is enough for distances over the whole image: the nearest
    # pixel outside of R is at most as far as that rim, of which nothing belongs to R.
    return tuple(
        slice(max(min(a.start, b.start) - 1, 0), min(max(a.stop, b.stop) + 1, size))
        for a, b, size in zip(one, two, shape, strict=True)
    )


def border_distances(segmented: Mask, reference: Mask) -> tuple[float, float]:
    """Return NSD and Hausdorff distance (pixels) of one object and its reference.

    Parameters
    ----------
    segmented, reference : numpy.ndarray of bool
        Same shape; ``reference`` holds a pixel. Where it fills the whole array, all
        distances are those to the array's rim.
    """
    from scipy.ndimage import distance_transform_edt

    wrong = segmented ^ reference
    if not wrong.any():
        return 0.0, 0.0
    if reference.all():
        padded: Floats = distance_transform_edt(np.pad(reference, 1))
        far = padded[(slice(1, -1),) * reference.ndim]
    else:
        far = distance_transform_edt(reference) + distance_transform_edt(~reference)
    return float(far[wrong].sum() / far[segmented | reference].sum()), float(far[wrong].max())
