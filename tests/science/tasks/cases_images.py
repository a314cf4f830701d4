"""Cases of the tasks of segmenting, counting and reporting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioimage_tasks import io, metrics, plots, segmentation, tables
from bioimage_tasks.datasets import ImageRef, LabelsRef
from bioimage_tasks.features.parts import describe_parts
from bioimage_tasks.features.smears import smear_features, spread

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
        other={"labels": made.labels, "gold": lacking},
        bad=[
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


CASES = {
    "load": load,
    "segment": segment,
    "score": score,
    "best": best,
    "overlay": overlay,
    "smear_row": smear_row,
    "density_parts": density_parts,
    "table": table,
    "write_csv": write_csv,
    "write_text": write_text,
}
