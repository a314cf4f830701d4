"""A table of features: one row an object (or image), one named column with a unit a feature.

Names, units and a float64 array come in; columns, parts, joined tables, rows, pandas frames
and CSV text go out. Must not know how a feature is computed, or files.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
#: How far apart the sizes of pixels along the axes may be and still be one.
SQUARE = 0.01


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of n objects: ``FeatureTable(("area",), ("px^2",), values, (1, 2))``.

    Attributes
    ----------
    names : tuple of str
        f different names.
    units : tuple of str
        One a name: ``"px"``, ``"px^2"``, ``"grey"`` (the image's own), ``"1"`` for none.
    values : numpy.ndarray of float64
        Shape (n, f). NaN says that a feature is not defined for an object.
    index : tuple
        Whose row it is: the n label numbers, ``("image",)``, or pairs (image, label).

    Raises
    ------
    ValueError
        Lengths disagree, or a name comes twice.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Values = field(repr=False)
    index: tuple[Hashable, ...] = ()

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        object.__setattr__(self, "values", values)
        expected = (len(self.index), len(self.names))
        if values.shape != expected or len(self.units) != len(self.names):
            raise ValueError(
                f"FeatureTable: values must be (rows, names) = {expected} with a unit a name; "
                f"got values of shape {values.shape} and {len(self.units)} units"
            )
        if len(set(self.names)) != len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise ValueError(f"FeatureTable: each name must come once; got twice: {twice}")

    @classmethod
    def of(
        cls,
        columns: Mapping[str, tuple[str, npt.ArrayLike]],
        index: Sequence[Hashable] | None = None,
    ) -> FeatureTable:
        """Make a table of ``{name: (unit, values)}``; rows are numbered from 1 by default."""
        arrays = [np.atleast_1d(np.asarray(v, dtype=np.float64)) for _, v in columns.values()]
        values = np.stack(arrays, axis=1) if arrays else np.zeros((len(index or ()), 0))
        rows = range(1, len(values) + 1) if index is None else index
        return cls(tuple(columns), tuple(unit for unit, _ in columns.values()), values, tuple(rows))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.index)

    def column(self, name: str) -> Values:
        """Return one column, shape (n,).

        Raises
        ------
        ValueError
            There is no such column.
        """
        if name not in self.names:
            raise ValueError(
                f"FeatureTable.column: no column has this name; there are "
                f"{', '.join(self.names)}; got {name!r}"
            )
        return self.values[:, self.names.index(name)]

    def select(self, names: Sequence[str]) -> FeatureTable:
        """Return the table of these columns, in this order.

        Raises
        ------
        ValueError
            There is no such column.
        """
        return FeatureTable.of(
            {name: (self.units[self._place(name)], self.column(name)) for name in names},
            self.index,
        )

    def _place(self, name: str) -> int:
        self.column(name)
        return self.names.index(name)

    def prefixed(self, prefix: str) -> FeatureTable:
        """Return the table with ``prefix_`` in front of every name."""
        return replace(self, names=tuple(f"{prefix}_{name}" for name in self.names))

    def in_micrometres(self, pixel_size: float | Mapping[str, float]) -> FeatureTable:
        """Return the table with all that is in pixels in micrometres: "grey/px" is "grey/um".

        Parameters
        ----------
        pixel_size : float or mapping of str to float
            Micrometres a pixel; or along each axis that was measured, as
            ``open_image(path).pixel_size`` has it.

        Raises
        ------
        ValueError
            The size is not positive or not known, or differs between axes by more than 1 %:
            lengths were measured as if it did not.
        """
        size = _one_size(pixel_size)
        powers = [_power(unit) for unit in self.units]
        units = tuple(re.sub(r"\bpx\b", "um", unit) for unit in self.units)
        return replace(self, units=units, values=self.values * size ** np.array(powers))

    def rows(self) -> list[dict[str, Any]]:
        """Return a dict a row, the index under ``"object"`` first."""
        return [
            {"object": str(key), **dict(zip(self.names, map(float, row), strict=True))}
            for key, row in zip(self.index, self.values, strict=True)
        ]

    def csv_text(self) -> str:
        """Return CSV with a header; units in brackets behind the names, numbers in full."""
        sheet = io.StringIO()
        writer = csv.writer(sheet, lineterminator="\n")
        heads = (f"{name} [{unit}]" for name, unit in zip(self.names, self.units, strict=True))
        writer.writerow(["object", *heads])
        for key, row in zip(self.index, self.values, strict=True):
            writer.writerow([str(key), *map(repr, map(float, row))])
        return sheet.getvalue()

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame``; its ``attrs["units"]`` maps names to units."""
        import pandas

        pairs = bool(self.index) and all(isinstance(key, tuple) for key in self.index)
        index = pandas.MultiIndex.from_tuples(self.index) if pairs else list(self.index)
        frame = pandas.DataFrame(self.values, index=index, columns=list(self.names))
        frame.attrs["units"] = dict(zip(self.names, self.units, strict=True))
        return frame


def _one_size(pixel_size: float | Mapping[str, float]) -> float:
    given = list(pixel_size.values()) if isinstance(pixel_size, Mapping) else [pixel_size]
    try:
        sizes = [float(size) for size in given]
    except (TypeError, ValueError):
        sizes = []
    if not sizes or not all(size > 0 for size in sizes):
        raise ValueError(
            f"FeatureTable.in_micrometres: pixel_size must be positive; got {pixel_size}"
        )
    if max(sizes) > (1 + SQUARE) * min(sizes):
        raise ValueError(
            f"FeatureTable.in_micrometres: pixels must be as long along every axis, as lengths "
            f"were measured in them; bring the image to one size first; got {pixel_size}"
        )
    return float(sum(sizes) / len(sizes))


def _power(unit: str) -> float:
    """Return which power of a pixel's length a unit has: ``_power("grey/px^2")`` is -2."""
    power = 0.0
    for sign, part in zip((1, -1), unit.split("/"), strict=False):
        found = re.fullmatch(r"px(?:\^(\d+))?", part)
        power += sign * int(found[1] or 1) if found else 0
    return power


def join(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Put tables of the same rows side by side: ``join([shapes, textures])``.

    Raises
    ------
    ValueError
        There are none, their rows differ, or a name comes twice.
    """
    _check_some("join", tables)
    for table in tables[1:]:
        if table.index != tables[0].index:
            raise ValueError(
                f"join: tables must have the same rows in the same order; got "
                f"{len(tables[0])} and {len(table)} rows"
            )
    names = tuple(name for table in tables for name in table.names)
    units = tuple(unit for table in tables for unit in table.units)
    values = np.concatenate([table.values for table in tables], axis=1)
    return FeatureTable(names, units, values, tables[0].index)


def stack(tables: Sequence[FeatureTable], keys: Sequence[Hashable] | None = None) -> FeatureTable:
    """Put tables of the same columns below each other: ``stack(tables, image_names)``.

    Parameters
    ----------
    tables : sequence of FeatureTable
    keys : sequence, optional
        One a table; the index becomes pairs (key, row), or the keys themselves where every
        table has the one row of a whole image.

    Raises
    ------
    ValueError
        There are none, their columns or units differ, or keys are too few or many.
    """
    _check_some("stack", tables)
    first = tables[0]
    for table in tables[1:]:
        if (table.names, table.units) != (first.names, first.units):
            odd = sorted(set(table.names) ^ set(first.names)) or list(table.units)
            raise ValueError(f"stack: tables must have the same columns and units; differ in {odd}")
    if keys is not None and len(keys) != len(tables):
        raise ValueError(f"stack: needs a key a table; got {len(keys)} and {len(tables)}")
    index = tuple(row for table in tables for row in table.index)
    if keys is not None:
        whole = all(table.index == ("image",) for table in tables)
        pairs = ((key, row) for key, table in zip(keys, tables, strict=True) for row in table.index)
        index = tuple(keys) if whole else tuple(pairs)
    values = np.concatenate([table.values for table in tables])
    return FeatureTable(first.names, first.units, values, index)


def _check_some(function: str, tables: Sequence[FeatureTable]) -> None:
    if not tables:
        raise ValueError(f"{function}: needs at least one table; got none")
