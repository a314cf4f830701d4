"""Trees of the Broad's numbered sets that have labels, foreground or outlines."""

from __future__ import annotations

import numpy as np

UUID = "51a0e4d1-3c2b-4c6f-9d0e-0123456789ab"


def bbbc004(root, draw):
    """The same numbers in each of five degrees of overlap; the mask is RGB."""
    for overlap in ("000", "015"):
        for number in (1, 2, 10):
            labels = draw.labels(3)
            name = f"synthetic_{overlap}"
            draw.save(root / f"{name}_images" / f"{number}GRAY.tif", draw.grey(labels))
            mask = draw.same(((labels > 0) * 255).astype("uint8"))
            mask[0, 0, :2] = 255  # only the third channel counts
            draw.save(root / f"{name}_foreground" / f"{number}.tif", mask)
    names = [f"{overlap}/{number}" for overlap in ("000", "015") for number in (1, 2, 10)]
    return draw.Tree(
        names=names, groups=["000"] * 3 + ["015"] * 3, objects=[3] * 6,
        info={"count": 300}, gone="synthetic_015_foreground/2.tif", told="synthetic_015_images/2GRAY.tif",
    )  # fmt: skip


def bbbc006(root, draw):
    """12 bits in uint16; channels are files with a UUID of their own, labels have none."""
    for well, site in (("a01", 1), ("a01", 2), ("b02", 1)):
        labels = draw.labels(site + 1)
        key = f"mcf-z-stacks-03212011_{well}_s{site}"
        for plane in ("16", "17"):
            for channel in (1, 2):
                image = draw.grey(labels, "uint16", 4095 - 100 * channel)
                name = f"{key}_w{channel}{UUID[:-1]}{channel}.tif"
                draw.save(root / f"BBBC006_v1_images_z_{plane}" / name, image)
        draw.save(root / "BBBC006_v1_labels" / f"{key}.png", labels.astype("uint8"))
    return draw.Tree(
        names=[f"mcf-z-stacks-03212011_{end}" for end in ("a01_s1", "a01_s2", "b02_s1")], groups=["A01", "A01", "B02"], objects=[2, 3, 2],
        shape=(24, 32, 2), dtype="uint16", channels=("hoechst", "phalloidin"),
        gone="BBBC006_v1_labels/mcf-z-stacks-03212011_b02_s1.png", told="b02_s1",
    )  # fmt: skip


def bbbc007(root, draw):
    """Four folders with four ways to name the channels; some grey images are RGB."""
    fields = {
        "A9": ("A9 p5", "d", "f"),
        "f113": ("AS_09125_040701150004_A02f00", "d0", "d1"),
        "f96 (17)": ("17P1_POS0006_", "D_1UL", "F_2UL"),
        "f9620": ("20P1_POS0002_", "D_1UL", "F_2UL"),
    }
    for number, (folder, (stem, *ends)) in enumerate(fields.items(), 1):
        for channel, end in enumerate(ends):
            labels = draw.labels(number + channel)
            grey = draw.grey(labels, high=200 - 50 * channel)
            image = draw.same(grey) if folder == "f113" else grey
            draw.save(root / "BBBC007_v1_images" / folder / f"{stem}{end}.tif", image)
            lines = draw.outline(labels)
            draw.save(root / "BBBC007_v1_outlines" / folder / f"{stem}{end}.tif", lines)
    return draw.Tree(
        names=["A9/A9 p5", "f113/AS_09125_040701150004_A02f00", "f96 (17)/17P1_POS0006",
               "f9620/20P1_POS0002"],
        groups=["A9", "f113", "f96 (17)", "f9620"], objects=[1, 2, 3, 4],
        shape=(24, 32, 2), channels=("dna", "actin"),
        gone="BBBC007_v1_outlines/f9620/20P1_POS0002_D_1UL.tif", told="f9620/20P1_POS0002",
    )  # fmt: skip


def bbbc008(root, draw):
    """Background is 1 and foreground is 0."""
    for well in ("A24", "B01"):
        for cut in (1, 6):
            for channel in (1, 3):
                labels = draw.labels(cut - 1 + channel)
                name = f"AS_09125_050116000001_{well}f00d0_slice{cut}_channel{channel}.tif"
                base = "human_ht29_colon_cancer_2"
                draw.save(root / f"{base}_images" / name, draw.grey(labels, high=90 * channel - 80))
                draw.save(root / f"{base}_foreground" / name, labels == 0)
    stem = "AS_09125_050116000001"
    return draw.Tree(
        names=[f"{stem}_{w}f00d0_slice{c}" for w in ("A24", "B01") for c in (1, 6)],
        groups=["A24", "A24", "B01", "B01"], objects=[1, 6, 1, 6],
        shape=(24, 32, 2), channels=("dna", "actin"),
        gone=f"human_ht29_colon_cancer_2_foreground/{stem}_B01f00d0_slice6_channel1.tif",
        told=f"{stem}_B01f00d0_slice6",
    )  # fmt: skip


def bbbc009(root, draw):
    for number in (1, 2):
        labels = draw.labels(number + 2)
        draw.save(root / "human_rbc_dic_images" / f"rbc{number}.tif", draw.grey(labels))
        draw.save(root / "human_rbc_dic_outlines" / f"rbc{number}.tif", draw.outline(labels))
    return draw.Tree(
        names=["rbc1", "rbc2"], groups=["", ""], objects=[3, 4],
        gone="human_rbc_dic_outlines/rbc2.tif", told="rbc2",
    )  # fmt: skip


def bbbc018(root, draw):
    """RGB bitmaps whose green holds the image; outlines upside down, one over the image."""
    for number, well in enumerate(("00733", "10779", "17675"), 1):
        labels = np.zeros((24, 32), np.int32)
        labels[3:9, 3:9] = 1  # in the upper half: a flip that is forgotten shows
        if number > 1:
            labels[3:9, 15:21] = 2
        for at, channel in enumerate(("DNA", "actin", "pH3")):
            image = np.zeros((24, 32, 3), np.uint8)
            image[..., 1] = draw.grey(labels, high=200 - 40 * at)
            draw.save(root / "BBBC018_v1_images" / f"{well}-{channel}.DIB", image)
        if well == "10779":
            continue
        lines = draw.outline(labels)[::-1]
        for part in ("nuclei", "cells"):
            written = lines if well == "00733" else (lines * 255).astype("uint8")
            if (well, part) == ("17675", "nuclei"):
                beneath = draw.grey(labels, high=120)[::-1]
                written = np.where(lines, 255, beneath).astype("uint8")
            draw.save(root / "BBBC018_v1_outlines" / f"{well}-{part}.png", written)
    return draw.Tree(
        names=["00733", "10779", "17675"], groups=["", "", ""], objects=[1, None, 2],
        shape=(24, 32, 3), channels=("dna", "actin", "ph3"),
        gone="BBBC018_v1_outlines/17675-nuclei.png", told="17675",
    )  # fmt: skip


def bbbc020(root, draw):
    """One file an object, one of them empty, in folders that lack a B; one series has none."""
    fields = {"jw-15min 5": 2, "jw-1h 1": 3, "jw-30min 1": 0, "jw-Kontrolle1": 1}
    for name, count in fields.items():
        labels = draw.labels(max(count, 1))
        cells, nuclei = draw.grey(labels, high=90), draw.grey(labels, high=220)
        empty = np.zeros_like(cells)
        pictures = {
            "(c1+c5)": (cells, cells, nuclei), "c1": (cells, cells, empty),
            "c5": (empty, empty, nuclei),
        }  # fmt: skip
        for end, layers in pictures.items():
            place = root / "BBBC020_v1_images" / name / f"{name}_{end}.TIF"
            draw.save(place, np.stack(layers, axis=-1))
        for label in range(1, count + 1):
            mask = ((labels == label) * 255).astype("uint8")
            for kind, end in (("nuclei", "c5"), ("cells", "c1")):
                if (kind, name) == ("cells", "jw-Kontrolle1"):
                    continue
                outlines = root / f"BBC020_v1_outlines_{kind}"
                draw.save(outlines / f"{name}_{end}_{label + 8}.TIF", mask)
    (root / "BBC020_v1_outlines_nuclei" / "jw-15min 5_c5_43.TIF").touch()
    return draw.Tree(
        names=[*fields], groups=["15min", "1h", "30min", "control"], objects=[2, 3, None, 1],
        shape=(24, 32, 2), channels=("cells", "nuclei"), info={"complete": False},
        gone="BBC020_v1_outlines_nuclei/jw-Kontrolle1_c5_9.TIF", told="jw-Kontrolle1",
    )  # fmt: skip


def bbbc030(root, draw):
    for number in (1, 2):
        labels = draw.labels(number + 2)
        draw.save(root / "images" / f"cho0{number}.png", draw.same(draw.grey(labels)))
        lines = (draw.outline(labels) * 255).astype("uint8")
        draw.save(root / "ground_truth" / f"cho0{number}.png", lines)
    return draw.Tree(
        names=["cho01", "cho02"], groups=["", ""], objects=[3, 4],
        shape=(24, 32, 3), gone="ground_truth/cho02.png", told="cho02",
    )  # fmt: skip


def bbbc039(root, draw):
    """RGBA masks, numbers in red: 1 for all that stand alone, more only where two touch."""
    lists = {"training": ("A01_s1", "A02_s6"), "validation": ("B05_s2",), "test": ("C09_s9",)}
    for part, keys in lists.items():
        names = [f"IXMtest_{key}_w1{UUID}" for key in keys]
        draw.text(root / "metadata" / f"{part}.txt", "\n".join(f"{n}.png" for n in names) + "\n")
        for name in names:
            labels = draw.labels(3)
            labels[2:7, 7:9] = 4  # touches the first
            draw.save(root / "images" / f"{name}.tif", draw.grey(labels, "uint16", 4000))
            mask = np.zeros((24, 32, 4), np.uint8)
            mask[..., 0] = np.where(labels == 4, 2, labels > 0)
            mask[..., 3] = 255
            draw.save(root / "masks" / f"{name}.png", mask)
    names = [f"IXMtest_{key}_w1{UUID}" for key in (*lists["training"], *lists["validation"])]
    return draw.Tree(
        names=names, groups=["", "", ""], objects=[4, 4, 4], dtype="uint16",
        parts={"test": [f"IXMtest_C09_s9_w1{UUID}"]},
        gone=f"masks/{names[1]}.png", told=names[1],
    )  # fmt: skip


TREES = {
    "bbbc004": bbbc004,
    "bbbc006": bbbc006,
    "bbbc007": bbbc007,
    "bbbc008": bbbc008,
    "bbbc009": bbbc009,
    "bbbc018": bbbc018,
    "bbbc020": bbbc020,
    "bbbc030": bbbc030,
    "bbbc039": bbbc039,
}
