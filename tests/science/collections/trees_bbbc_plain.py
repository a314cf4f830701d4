"""Trees of the Broad's numbered sets that have counts, boxes or treatments, but no labels."""

from __future__ import annotations

import json

UUID = "51A0E4D1-3C2B-4C6F-9D0E-0123456789AB"


def bbbc002(root, draw):
    """Two humans counted; the table is split by tabs."""
    names = ("CPvalid1_340_40x_Tiles_p1175DAPI", "CPvalid1_48_40x_Tiles_p0003DAPI",
             "CPvalid1_48_40x_Tiles_p1394DAPI", "CPvalid1_nodsRNA_40x_Tiles_p0219DAPI")  # fmt: skip
    rows = ["file name\thuman counter 1 (Robert Lindquist)\thuman counter #2 (Joohan Chang)"]
    for number, name in enumerate(names, 1):
        grey = draw.grey(draw.labels(number))
        draw.save(root / "drosophila_kc167_1_images" / f"{name}.TIF", grey)
        rows.append(f"{name}\t{number}\t{number + 1}")
    draw.text(root / "BBBC002_v1_counts.txt", "\n".join(rows) + "\n")
    return draw.Tree(
        names=[*names], groups=["340", "48", "48", "nodsRNA"], objects=[None] * 4,
        info={"count": 1.5, "count_1": 1, "count_2": 2},
        gone=f"drosophila_kc167_1_images/{names[3]}.TIF", told="BBBC002_v1_counts.txt has no image",
    )  # fmt: skip


def plate(root, draw, folder, pattern, heads):
    """Wells A01, A02 and E01 of a plate with a row of images for each channel."""
    wells = {(0, 0): "A01", (0, 1): "A02", (4, 0): "E01"}
    for (row, column), _well in wells.items():
        for channel in (1, 2):
            grey = draw.grey(draw.labels(channel), high=60 * channel)
            index, letter = row * 12 + column + 1, "ABCDEFGH"[row]
            name = pattern.format(channel=channel, index=index, row=letter, column=column + 1)
            draw.save(root / folder / name, grey)
    return "\n".join([heads, *(str(number) for number in range(96))]) + "\n"


def bbbc013(root, draw):
    doses = plate(
        root, draw, "BBBC013_v1_images_bmp",
        "Channel{channel}-{index:02d}-{row}-{column:02d}.BMP", "DESCRIPTION dose",
    )  # fmt: skip
    draw.text(root / "BBBC013_v1_platemap_all.txt", doses)
    return draw.Tree(
        names=["A01", "A02", "E01"], groups=["A", "A", "E"], objects=[None] * 3,
        shape=(24, 32, 2), channels=("gfp", "dna"), info={"drug": "Wortmannin", "dose": "0"},
        gone="BBBC013_v1_images_bmp/Channel2-02-A-02.BMP", told="02-A-02",
    )  # fmt: skip


def bbbc014(root, draw):
    doses = plate(
        root, draw, "BBBC014_v1_images",
        "Channel {channel}-{index:02d}-{row}-{column:02d}-00.Bmp", "DESCRIPTION TNF",
    )  # fmt: skip
    draw.text(root / "BBBC014_v1_platemap_all.txt", doses)
    return draw.Tree(
        names=["A01", "A02", "E01"], groups=["A", "A", "E"], objects=[None] * 3,
        shape=(24, 32, 2), channels=("fitc", "dapi"), info={"cells": "MCF7", "dose": "0"},
        gone="BBBC014_v1_images/Channel 1-02-A-02-00.Bmp", told="02-A-02",
    )  # fmt: skip


def bbbc015(root, draw):
    """Grey JPEG stored as RGB."""
    for well in ("A01", "B12"):
        for field in (1, 2):
            for at, channel in enumerate(("Green", "Crimson")):
                grey = draw.grey(draw.labels(2), high=100 + 60 * at)
                name = f"{well}_{field}_{channel}.JPG"
                draw.save(root / "BBBC015_v1_images" / name, draw.same(grey))
    return draw.Tree(
        names=["A01_1", "A01_2", "B12_1", "B12_2"], groups=["A01", "A01", "B12", "B12"],
        objects=[None] * 4, shape=(24, 32, 2), channels=("green", "crimson"),
        gone="BBBC015_v1_images/B12_2_Green.JPG", told="B12_2",
    )  # fmt: skip


def bbbc016(root, draw):
    for well, field in (("A01", 0), ("A01", 1), ("B03", 0)):
        for end, high in (("d0", 220), ("d2", 90)):
            name = f"AS_09125_030101000001_{well}f{field:02d}{end}.TIF"
            draw.save(root / "BBBC016_v1_images" / name, draw.grey(draw.labels(2), high=high))
    stem = "AS_09125_030101000001"
    return draw.Tree(
        names=[f"{stem}_A01f00", f"{stem}_A01f01", f"{stem}_B03f00"],
        groups=["A01", "A01", "B03"], objects=[None] * 3, shape=(24, 32, 2),
        channels=("gfp", "dna"), gone=f"BBBC016_v1_images/{stem}_B03f00d2.TIF", told=f"{stem}_B03f00",
    )  # fmt: skip


def bbbc021(root, draw):
    """w2 is tubulin and w4 actin; the tables tell compound and mode of action."""
    rows = []
    for plate_name, well in (
        ("Week1_22123", "B02"),
        ("Week1_22123", "B03"),
        ("Week4_27481", "G10"),
    ):
        for at, channel in enumerate((1, 2, 4)):
            grey = draw.grey(draw.labels(2), "uint16", 5000 * (at + 1))
            stem = f"{plate_name.partition('_')[0]}_150607_{well}_s1_w{channel}"
            draw.save(root / plate_name / f"{stem}{UUID[:-1]}{channel}.tif", grey)
            if channel == 1:
                compound = "taxol" if well == "B02" else "DMSO"
                rows.append(f"{stem}{UUID[:-1]}1.tif,{plate_name},{compound},0.3")
    head = ("Image_FileName_DAPI,Image_Metadata_Plate_DAPI,Image_Metadata_Compound,"
            "Image_Metadata_Concentration")  # fmt: skip
    draw.text(root / "BBBC021_v1_image.csv", "\n".join([head, *rows]) + "\n")
    moa = "compound,concentration,moa\ntaxol,0.3,Microtubule stabilizers\n"
    draw.text(root / "BBBC021_v1_moa.csv", moa)
    return draw.Tree(
        names=["Week1_22123/Week1_150607_B02_s1", "Week1_22123/Week1_150607_B03_s1",
               "Week4_27481/Week4_150607_G10_s1"],
        groups=["Week1_22123", "Week1_22123", "Week4_27481"], objects=[None] * 3,
        shape=(24, 32, 3), dtype="uint16", channels=("dna", "tubulin", "actin"),
        info={"compound": "taxol", "moa": "Microtubule stabilizers"},
        gone=f"Week4_27481/Week4_150607_G10_s1_w2{UUID[:-1]}2.tif", told="Week4_150607_G10_s1",
    )  # fmt: skip


def bbbc026(root, draw):
    for well, site in (("A01", 1), ("A01", 9), ("O23", 3)):
        name = f"ADSASS092408-GHAD2-D6-20x_{well}_s{site}_w1{UUID}.png"
        draw.save(root / "BBBC026_v1_images" / name, draw.grey(draw.labels(site % 4)))
    return draw.Tree(
        names=["A01_s1", "A01_s9", "O23_s3"], groups=["A01", "A01", "O23"], objects=[None] * 3,
        gone="BBBC026_v1_images", told="BBBC026_v1_images",
    )  # fmt: skip


def bbbc041(root, draw):
    """Boxes in json; paths begin with a slash; both PNG and JPEG."""
    parts = {"training": ("a1.png", "b2.jpg"), "test": ("c3.jpg",)}
    for part, names in parts.items():
        found = []
        for name in names:
            size = (24, 32) if name.endswith("png") else (30, 40)
            draw.save(root / "malaria" / "images" / name, draw.colour(draw.labels(2, size)))
            boxes = [
                {"bounding_box": {"minimum": {"r": 2, "c": x}, "maximum": {"r": 7, "c": x + 5}},
                 "category": kind}
                for x, kind in ((2, "red blood cell"), (10, "trophozoite"))
            ]  # fmt: skip
            shape = {"r": size[0], "c": size[1], "channels": 3}
            image = {"checksum": "0", "pathname": f"/images/{name}", "shape": shape}
            found.append({"image": image, "objects": boxes})
        draw.text(root / "malaria" / f"{part}.json", json.dumps(found))
    return draw.Tree(
        names=["a1", "b2"], groups=["24x32", "30x40"], objects=[None, None],
        shape=(24, 32, 3), info={"count": 2, "boxes": 2}, parts={"test": ["c3"]},
        gone="malaria/images/b2.jpg", told="b2.jpg",
    )  # fmt: skip


TREES = {
    "bbbc002": bbbc002,
    "bbbc013": bbbc013,
    "bbbc014": bbbc014,
    "bbbc015": bbbc015,
    "bbbc016": bbbc016,
    "bbbc021": bbbc021,
    "bbbc026": bbbc026,
    "bbbc041": bbbc041,
}
