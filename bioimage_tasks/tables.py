"""Rows of results: means over images, the best setting, and both as text.

Scores by setting and image come in; rows (plain dicts), CSV and aligned text go out.
Must not know tasks or files.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from bioimage_tasks.metrics.segmentation import Scores, mean_scores

Row = dict[str, str | float]
#: One scored image: setting, image, scores.
Entry = tuple[str, str, Scores]

#: What the text shows; the CSV has everything.
SHOWN: Mapping[str, str] = {
    "setting": "setting",
    "f1": "F1@.5",
    "mean_ap": "mean AP",
    "rand": "Rand",
    "adjusted_rand": "adj.Rand",
    "jaccard": "Jaccard",
    "nsd": "NSD",
    "hausdorff": "Hausd.px",
    "split": "split",
    "merged": "merged",
    "missing": "missing",
    "spurious": "spurious",
}


def setting_name(method: str, params: Mapping[str, object]) -> str:
    """Return how a setting is called in tables.

    Examples
    --------
    >>> setting_name("watershed", {"markers": "both", "depth": 0.1})
    'watershed markers=both depth=0.1'
    """
    return " ".join([method, *(f"{name}={value}" for name, value in params.items())])


def mean_rows(entries: Sequence[Entry], by: str = "mean_ap") -> list[Row]:
    """Return one row per setting, means over its images, greatest ``by`` first.

    Raises
    ------
    ValueError
        There are no entries, or ``by`` is no score.
    """
    if not entries:
        raise ValueError("mean_rows: needs at least one scored image; got none")
    if by not in Scores.__dataclass_fields__:
        raise ValueError(f"mean_rows: by must be a score; got {by!r}")
    groups: dict[str, list[Scores]] = {}
    for setting, _, scores in entries:
        groups.setdefault(setting, []).append(scores)
    rows: list[Row] = [
        {"setting": setting, "images": len(scores), **mean_scores(scores).as_dict()}
        for setting, scores in groups.items()
    ]
    return sorted(rows, key=lambda row: (-float(row[by]), str(row["setting"])))


def crossed_rows(entries: Sequence[Entry]) -> list[Row]:
    """Return one row per collection and setting, means over images, in the order of coming.

    Parameters
    ----------
    entries : sequence of (collection, setting, scores)

    Raises
    ------
    ValueError
        There are no entries.
    """
    if not entries:
        raise ValueError("crossed_rows: needs at least one scored image; got none")
    groups: dict[tuple[str, str], list[Scores]] = {}
    for collection, setting, scores in entries:
        groups.setdefault((collection, setting), []).append(scores)
    return [
        {
            "collection": collection,
            "setting": setting,
            "images": len(scores),
            **mean_scores(scores).as_dict(),
        }
        for (collection, setting), scores in groups.items()
    ]


def csv_text(rows: Sequence[Row]) -> str:
    """Return rows as CSV with a header, numbers to 6 digits.

    Raises
    ------
    ValueError
        There are no rows.
    """
    _check_some("csv_text", rows)
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(_number(value, ".6g") for value in row.values())
    return sheet.getvalue()


def plain_text(rows: Sequence[Row]) -> str:
    """Return rows as a table for the eye, three decimals, the columns of :data:`SHOWN`.

    Raises
    ------
    ValueError
        There are no rows.
    """
    _check_some("plain_text", rows)
    shown = SHOWN
    if "collection" in rows[0]:
        shown = {"collection": "collection", **SHOWN}
    cells = [list(shown.values())]
    cells += [[_number(row[name], ".3f") for name in shown] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _check_some(function: str, rows: Sequence[Row]) -> None:
    if not rows:
        raise ValueError(f"{function}: needs at least one row; got none")


def _number(value: str | float, form: str) -> str:
    return value if isinstance(value, str) else format(value, form)
