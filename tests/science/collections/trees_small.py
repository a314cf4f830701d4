"""Trees of the small folders that the studies use."""

from __future__ import annotations

import numpy as np


def pairs(root, draw, names, colour=False):
    for number, name in enumerate(names, 2):
        labels = draw.labels(number)
        image = draw.colour(labels) if colour else draw.grey(labels)
        draw.save(root / "images" / f"{name}.png", image)
        draw.save(root / "labels" / f"{name}.png", labels.astype("uint8"))


def u2os(root, draw):
    pairs(root, draw, ("dna-00", "dna-01"))
    return draw.Tree(
        names=["dna-00", "dna-01"], groups=["u2os"] * 2, objects=[2, 3],
        gone="labels/dna-01.png", told="dna-01",
    )  # fmt: skip


def fluo(root, draw):
    pairs(root, draw, ("f256-00", "f256-01", "f360-00"))
    return draw.Tree(
        names=["f256-00", "f256-01", "f360-00"], groups=["f256", "f256", "f360"],
        objects=[2, 3, 4], gone="labels/f360-00.png", told="f360-00",
    )  # fmt: skip


def histology(root, draw):
    pairs(root, draw, ("he-00", "he-01"), colour=True)
    return draw.Tree(
        names=["he-00", "he-01"], groups=["", ""], objects=[2, 3], shape=(24, 32, 3),
        gone="images/he-01.png", told="he-01",
    )  # fmt: skip


def membrane(root, draw):
    for number in (0, 5, 6):
        labels = draw.labels(3)
        draw.save(root / "images" / f"{number:02d}.png", draw.grey(labels))
        inside = ((labels > 0) * 255).astype("uint8")
        draw.save(root / "labels" / f"{number:02d}.png", inside)
    return draw.Tree(
        names=["00", "05", "06"], groups=["0", "0", "1"], objects=[3, 3, 3],
        gone="labels/06.png", told="06",
    )  # fmt: skip


def nets(root, draw):
    rows = ["image,sample,net_fraction_human1,net_fraction_human2"]
    for key, sample, second in (("image_00_00", 0, ""), ("image_22_01", 22, "0.125")):
        labels = draw.labels(2)
        draw.save(root / "images" / f"{key}_dna.png", draw.grey(labels))
        draw.save(root / "images" / f"{key}_protein.png", draw.grey(labels, high=90))
        draw.save(root / "images" / f"{key}_rois.png", labels.astype("uint8"))
        if second:
            draw.save(root / "images" / f"{key}_rois2.png", (labels == 1).astype("uint8"))
        rows.append(f"{key},{sample},0.5,{second}")
    draw.text(root / "coverage.csv", "\n".join(rows) + "\n")
    return draw.Tree(
        names=["image_00_00", "image_22_01"], groups=["0", "22"], objects=[2, 2],
        shape=(24, 32, 2), channels=("dna", "protein"), info={"coverage": 0.5},
        gone="images/image_22_01_protein.png", told="image_22_01",
    )  # fmt: skip


def location(root, draw):
    rows = ["file,location,protein"]
    for place, number in (("cytoplasmic", 0), ("nuclear", 0), ("nuclear", 3)):
        name = f"{place}/{number:02d}-001-protein.jpeg"
        draw.save(root / name, draw.grey(draw.labels(2)))
        rows.append(f"{name},{place},{place}-{number:02d}")
    draw.text(root / "labels.csv", "\n".join(rows) + "\n")
    return draw.Tree(
        names=["cytoplasmic/00-001", "nuclear/00-001", "nuclear/03-001"],
        groups=["cytoplasmic-00", "nuclear-00", "nuclear-03"], objects=[None] * 3,
        info={"location": "cytoplasmic"}, gone="nuclear/03-001-protein.jpeg",
        told="row of labels.csv",
    )  # fmt: skip


def blood(root, draw):
    counts = ["file,rbc,wbc,platelets"]
    boxes = ["file,class,xmin,ymin,xmax,ymax"]
    for number in (0, 12):
        name = f"BloodImage_{number:05d}.jpg"
        draw.save(root / "images" / name, draw.colour(draw.labels(2)))
        counts.append(f"{name},1,1,0")
        boxes += [f"{name},RBC,2,3,7,9", f"{name},WBC,10,2,15,7"]
    draw.text(root / "counts.csv", "\n".join(counts) + "\n")
    draw.text(root / "boxes.csv", "\n".join(boxes) + "\n")
    return draw.Tree(
        names=["BloodImage_00000", "BloodImage_00012"], groups=["", ""], objects=[None] * 2,
        shape=(24, 32, 3), info={"rbc": 1, "platelets": 0, "count": 2, "boxes": 2},
        gone="images/BloodImage_00012.jpg", told="counts.csv has no image",
    )  # fmt: skip


def denoise(root, draw):
    rows = ["file,structure,condition"]
    for name, structure, condition in (("actin-20x", "actin", "20x"), ("nucleus", "nucleus", "")):
        draw.save(root / "low" / f"{name}.png", draw.grey(draw.labels(2), high=60))
        draw.save(root / "high" / f"{name}.png", draw.grey(draw.labels(2)))
        rows.append(f"{name}.png,{structure},{condition}")
    draw.text(root / "pairs.csv", "\n".join(rows) + "\n")
    return draw.Tree(
        names=["actin-20x", "nucleus"], groups=["actin", "nucleus"], objects=[None] * 2,
        shape=(24, 32, 2), channels=("low", "high"), info={"condition": "20x"},
        gone="high/nucleus.png", told="nucleus",
    )  # fmt: skip


def volume(root, draw):
    """Numbers of labels have gaps."""
    labels = draw.labels(3)
    for end, stack in (("3d", np.stack([labels] * 5)), ("2d", labels)):
        draw.save(root / f"img{end}.tif", draw.grey(stack, "uint16"))
        draw.save(root / f"mask{end}.tif", (stack * 3).astype("uint16"))
    return draw.Tree(
        names=["img3d", "img2d"], groups=["3d", "2d"], objects=[3, 3], shape=(5, 24, 32),
        dtype="uint16", gone="mask3d.tif", told="mask3d.tif",
    )  # fmt: skip


TREES = {
    "nuclei-u2os-hand": u2os,
    "nuclei-fluo-dsb2018": fluo,
    "histology-he-dsb2018": histology,
    "em-membrane-isbi2012": membrane,
    "nets-coverage": nets,
    "subcellular-location": location,
    "blood-count-bccd": blood,
    "denoise-bpae-pairs": denoise,
    "3d-nuclei-stardist": volume,
}
