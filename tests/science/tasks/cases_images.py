"""Cases of the tasks of segmenting, counting and reporting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioimage_tasks import io, metrics, plots, segmentation, tables
from bioimage_tasks.datasets import ImageRef, LabelsRef
from bioimage_tasks.features.parts import Parts, describe_parts
from bioimage_tasks.features.smears import smear_features, spread
from bioimage_tasks.metrics import coelho_published

NAN = "every pixel must be finite"


def written(made, folder):
    """Return references to the nuclei and their labels, written below ``folder``."""
    io.write_image(folder / "in" / "nuclei.tif", made.nuclei)
    io.write_labels(folder / "in" / "labels.tif", made.labels)
    paths = [str(folder / "in" / f"{name}.tif") for name in ("nuclei", "labels")]
    return ImageRef(paths[0]), LabelsRef(paths[1])


def load(made, folder):
    image, _ = written(made, folder)
    return made.Case(
        call={"image": image},
        plain=image.read,
        other={"image": replace(image, region=(0, 0, 9, 9))},
        bad=[({"image": "a.png"}, "load: an image must come as a reference")],
    )


def segment(made, folder):
    return made.Case(
        call={"image": made.nuclei, "method": "watershed", "depth": 0.1},
        plain=lambda: segmentation.segment(made.nuclei, "watershed", depth=0.1),
        other={"method": "root-contrast", "depth": 0.2, "fraction": 0.3},
        bad=[
            ({"image": made.nuclei[0]}, "2 dimensions"),
            ({"image": made.nuclei * np.nan}, NAN),
            ({"method": "watershet"}, "no segmentation method has this name"),
            ({"deepth": 1}, "got unknown deepth"),
        ],
    )


def score(made, folder):
    lacking = np.where(made.labels == 1, 0, made.labels)
    return made.Case(
        call={"labels": lacking, "gold": made.labels},
        plain=lambda: metrics.score(lacking, made.labels),
        other={"labels": made.labels, "gold": lacking, "min_area": 30},
        bad=[
            ({"min_area": -1}, "score: min_area .pixels. must lie in"),
            ({"gold": made.labels[1:]}, "same shape"),
            ({"labels": made.labels * 0.5}, "must be integers"),
        ],
    )


def best(made, folder):
    settings = [("a", {}), ("b", {"depth": 0.1})]
    return made.Case(
        call={"settings": settings, "scores": [made.scores[1:], made.scores[:1]]},
        plain=lambda: settings[1],
        other={"by": "f1", "scores": [made.scores, made.scores]},
        bad=[
            ({"settings": [], "scores": []}, "best: settings, scores must be as many.*got 0, 0"),
            ({"scores": [made.scores]}, "must be as many, .*got 2, 1"),
            ({"by": "beauty"}, "by must be one of .*'beauty'"),
            ({"scores": [[], []]}, "at least one"),
        ],
    )


def overlay(made, folder):
    image, gold = written(made, folder)
    path = str(folder / "sub" / "overlay.png")

    def drawn():
        found = segmentation.segment(made.nuclei, "watershed", depth=0.1)
        return plots.overlay(made.nuclei, found, made.labels, 2)

    return made.Case(
        call={
            "image": image, "gold": gold, "setting": ("watershed", {"depth": 0.1}), "path": path,
            "zoom": 2,
        },
        plain=lambda: path,
        other={"zoom": 1, "gold": None},
        bad=[
            ({"setting": ("watershet", {})}, "no segmentation method has this name"),
            ({"zoom": 0}, "overlay: zoom must be at least 1; got 0"),
            ({"image": image.path}, "overlay: an image must come as a reference"),
            ({"gold": gold.path}, "overlay: an image must come as a reference"),
        ],
        drawn=drawn,
    )  # fmt: skip


def smear_row(made, folder):
    names = ("cells_peaks_0.07", "white_cells")
    return made.Case(
        call={"image": made.rgb, "names": names},
        plain=lambda: smear_features(made.rgb).select(names).values[0],
        other={"names": (), "image": made.rgb[::-1]},
        bad=[
            ({"image": made.image}, r"smear_features: the image must be RGB.*\(48, 48\)"),
            ({"names": ("cells",)}, "got .*cells"),
        ],
    )


def density_parts(made, folder):
    def plain():
        """Sums over tiles by a loop: every tile as the slice that it is."""
        found = describe_parts(list(np.moveaxis(made.rgb, 2, 0)), "tiles", 64 / 4)
        density = spread(made.boxes, (64, 64))
        sums = [density[y : y + 16, x : x + 16].sum() for y in range(0, 64, 16) for x in
                range(0, 64, 16)]  # fmt: skip
        return replace(found, targets=(np.array(sums) * len(found)).astype(np.float32))

    return made.Case(
        call={"image": made.rgb, "boxes": made.boxes, "tiles": 4},
        plain=plain,
        look=lambda found: (found.values, found.areas, np.round(found.targets, 4)),
        other={"tiles": 5, "boxes": made.boxes[:1]},
        bad=[
            ({"image": made.image}, r"density_parts: the image must be RGB.*got \(48, 48\)"),
            ({"boxes": [[1, 2, 3]]}, r"spread: boxes must have the shape \(n, 4\); got \(1, 3\)"),
            ({"tiles": 0}, r"tiles must lie in \[1, 64\]; got 0"),
        ],
    )


def _parts(made):
    values = made.rgb.reshape(-1, 3)[:7].astype(np.float32)
    return Parts(values, np.arange(1, 8, dtype=np.float32), values[:, 0])


def _slow_mean(parts):
    weighted = [
        area * row.astype(np.float64) for row, area in zip(parts.values, parts.areas, strict=True)
    ]
    return sum(weighted) / float(sum(parts.areas))


def in_context(made, folder):
    parts = _parts(made)

    def plain():
        rows = [[*row, *_slow_mean(parts)] for row in parts.values]
        return replace(parts, values=np.array(rows).astype(np.float32))

    return made.Case(
        call={"parts": parts},
        plain=plain,
        look=lambda found: (np.round(found.values, 3), found.areas, found.targets),
        other={"parts": replace(parts, areas=parts.areas[::-1].copy())},
        bad=[({"parts": parts.values}, "in_context: needs the parts of an image.*got ndarray")],
    )


def row_of_parts(made, folder):
    parts = _parts(made)
    return made.Case(
        call={"parts": parts, "row": (1.0, 2.0)},
        plain=lambda: np.array([1.0, 2.0, *_slow_mean(parts)]),
        look=lambda found: np.round(found, 3),
        other={"row": (), "parts": replace(parts, values=parts.values[::-1].copy())},
        bad=[
            ({"parts": None}, "row_of_parts: needs the parts of an image.*got NoneType"),
            ({"row": 3.0}, r"row_of_parts: the row must be one of numbers; got shape \(\)"),
        ],
    )


def table(made, folder):
    entries = [("a", "1", made.scores[1]), ("b", "1", made.scores[0])]
    return made.Case(
        call={"entries": entries},
        plain=lambda: tables.mean_rows(entries, "mean_ap"),
        other={"by": "f1", "entries": entries[:1]},
        bad=[
            ({"entries": []}, "mean_rows: needs at least one scored image"),
            ({"by": "beauty"}, "mean_rows: by must be a score; got 'beauty'"),
        ],
    )


def write_csv(made, folder):
    path = str(folder / "sub" / "rows.csv")
    return made.Case(
        call={"rows": [{"a": "x", "b": 0.123456789}, {"a": "y", "b": 2.0}], "path": path},
        plain=lambda: path,
        other={"rows": []},
        bad=[({"rows": []}, "csv_text: needs at least one row; got none")],
        written=lambda: {"sub/rows.csv": "a,b\nx,0.123457\ny,2\n"},
    )


def write_text(made, folder):
    rows = tables.mean_rows([("a", "1", made.scores[0])])
    return made.Case(
        call={"rows": rows, "path": str(folder / "sub" / "rows.txt")},
        plain=lambda: tables.plain_text(rows),
        other={"rows": []},
        bad=[({"rows": []}, "plain_text: needs at least one row; got none")],
        written=lambda: {"sub/rows.txt": tables.plain_text(rows)},
    )


def beside_published(made, folder):
    def plain():
        mean = metrics.mean_scores(made.scores).as_dict()
        columns = coelho_published.COLUMNS
        rows = [
            {"way": f"published: {way}", **dict(zip(columns, values, strict=True))}
            for way, values in coelho_published.PUBLISHED.items()
        ]
        mean["nsd_x10"] = 10 * mean["nsd"]
        shown = {name: mean[name] for name in (*columns, "f1", "mean_ap")}
        return [*rows, {"way": "ours: a", **shown}]

    return made.Case(
        call={"ours": [("a", made.scores)]},
        plain=plain,
        other={"ours": [("b", made.scores)]},
        bad=[
            ({"ours": []}, "beside_published: needs at least one of ours; got none"),
            ({"ours": [("a", [])]}, "beside_published: needs at least one of scores; got none"),
        ],
    )


def draw_sweep(made, folder):
    path = str(folder / "sub" / "sweep.png")
    settings = [("m", {"a": 1, "b": b, "c": c}) for b, c in ((0.1, 0), (0.2, 0), (0.2, 1))]
    scores = [made.scores[:1], made.scores[1:], made.scores[:1]]

    def drawn():
        best = max(metrics.mean_scores(row).f1 for row in scores[1:])
        names = {"row_name": "a", "column_name": "b", "score_name": "f1", "title": "m"}
        return plots.sweep_map([[made.scores[0].f1, best]], [1], [0.1, 0.2], **names)

    return made.Case(
        call={
            "settings": settings,
            "scores": scores,
            "path": path,
            "method": "m",
            "names": ("a", "b"),
        },
        plain=lambda: path,
        other={"by": "rand", "names": ("b", "a")},
        bad=[
            ({"scores": scores[1:]}, "draw_sweep: settings, scores must be as many"),
            ({"method": "x"}, "draw_sweep: needs a setting of 'x' with both parameters"),
            ({"by": "beauty"}, "by must be one of .*'beauty'"),
        ],
        drawn=drawn,
    )


CASES = {
    "beside_published": beside_published,
    "draw_sweep": draw_sweep,
    "load": load,
    "segment": segment,
    "score": score,
    "best": best,
    "overlay": overlay,
    "smear_row": smear_row,
    "density_parts": density_parts,
    "in_context": in_context,
    "row_of_parts": row_of_parts,
    "table": table,
    "write_csv": write_csv,
    "write_text": write_text,
}
