"""Trees of the collections of nuclei and cells that are not of the Broad's numbered sets."""

from __future__ import annotations

import json

IDS = ("0a1f", "9b2e")


def dsb2018(root, draw):
    """RGBA images, one PNG per nucleus, and a CSV of run lengths for the test part."""
    for number, name in enumerate(IDS, 2):
        labels = draw.labels(number)
        draw.save(root / "stage1_train" / name / "images" / f"{name}.png", draw.same(
            draw.grey(labels), 4))  # fmt: skip
        for label in range(1, number + 1):
            mask = ((labels == label) * 255).astype("uint8")
            draw.save(root / "stage1_train" / name / "masks" / f"m{9 - label}.png", mask)
    draw.text(root / "stage1_train_labels.csv", "ImageId,EncodedPixels\n0a1f,1 2\n0a1f,9 2\n")
    labels = draw.labels(4)
    draw.save(root / "stage1_test" / "7c3d" / "images" / "7c3d.png", draw.colour(labels, 4))
    rows = ["ImageId,EncodedPixels,Height,Width,Usage"]
    for label in range(1, 5):
        runs = column_runs(labels == label)
        rows.append(f"7c3d,{runs},{labels.shape[0]},{labels.shape[1]},Public")
    draw.text(root / "stage1_solution.csv", "\n".join(rows) + "\n")
    return draw.Tree(
        names=[*IDS], groups=["24x32"] * 2, objects=[2, 3],
        shape=(24, 32, 3), parts={"test": ["7c3d"]},
        gone="stage1_train/9b2e/masks", told="9b2e",
    )  # fmt: skip


def column_runs(mask):
    """Run lengths from 1, down the columns."""
    flat = mask.T.ravel()
    runs, start = [], None
    for at, on in enumerate([*flat, False]):
        if on and start is None:
            start = at
        elif not on and start is not None:
            runs += [start + 1, at - start]
            start = None
    return " ".join(map(str, runs))


def stardist(root, draw):
    for part, names in (("train", ("aa", "bb")), ("test", ("cc",))):
        for number, name in enumerate(names, 2):
            labels = draw.labels(number)
            draw.save(
                root / "dsb2018" / part / "images" / f"{name}.tif", draw.grey(labels, "uint16")
            )
            draw.save(
                root / "dsb2018" / part / "masks" / f"{name}.tif", labels.astype("uint16") * 5
            )
    return draw.Tree(
        names=["aa", "bb"], groups=["24x32"] * 2, objects=[2, 3],
        dtype="uint16", parts={"test": ["cc"]},
        gone="dsb2018/train/masks/bb.tif", told="bb",
    )  # fmt: skip


def compath(root, draw):
    """Aperio polygons; one image is RGBA."""
    slides = ("TCGA-18-5592-01Z-00-DX1", "TCGA-A7-A13E-01Z-00-DX1")
    for number, name in enumerate(slides):
        labels = draw.labels(3)
        draw.save(root / "Tissue images" / f"{name}.png", draw.colour(labels, 3 + number))
        regions = ""
        for y, x in ((2, 2), (2, 10), (2, 18)):
            corners = ((x, y), (x + 5, y), (x + 5, y + 5), (x, y + 5))
            vertices = "".join(f'<Vertex X="{a}.0" Y="{b}.0" Z="0"/>' for a, b in corners)
            regions += f"<Region Id='1'><Vertices>{vertices}</Vertices></Region>"
        regions += "<Region Id='9'><Vertices></Vertices></Region>"
        draw.text(
            root / "Annotations" / f"{name}.xml",
            f"<Annotations><Annotation><Regions>{regions}</Regions></Annotation></Annotations>",
        )
    return draw.Tree(
        names=[*slides], groups=["TCGA-18-5592", "TCGA-A7-A13E"], objects=[3, 3],
        shape=(24, 32, 3), gone=f"Annotations/{slides[1]}.xml", told=slides[1],
    )  # fmt: skip


def frunet(root, draw):
    for part in ("test", "train"):
        for number in (1, 2):
            labels = draw.labels(number + 1)
            data = root / "code" / "data"
            image = draw.grey(labels, "uint16", 20444)
            draw.save(data / f"dataset_{part}" / f"EV_{number}.tif", image)
            draw.save(data / f"annotations_{part}" / f"EV_{number}_mask.tif", labels.astype("u2"))
    return draw.Tree(
        names=["test/EV_1", "test/EV_2", "train/EV_1", "train/EV_2"],
        groups=["test", "test", "train", "train"], objects=[2, 3, 2, 3], dtype="uint16",
        gone="code/data/annotations_test/EV_2_mask.tif", told="dataset_test/EV_2",
    )  # fmt: skip


def s_bsst265(root, draw):
    """Grey images, one of them with three equal channels in front."""
    names = ("Ganglioneuroblastoma_2", "Ganglioneuroblastoma_10", "normal_0", "otherspecimen_3")
    for number, name in enumerate(names, 1):
        labels = draw.labels(number)
        grey = draw.grey(labels)
        image = draw.same(grey).transpose(2, 0, 1).copy() if name == "normal_0" else grey
        draw.save(root / "S-BSST265" / "rawimages" / f"{name}.tif", image)
        truth = labels.astype("uint8")
        draw.save(root / "S-BSST265" / "groundtruth" / f"{name}.tif", truth)
    for other in ("groundtruth_svgs", "visualized_groundtruth"):
        draw.text(root / "S-BSST265" / other / "normal_0.svg", "<svg/>")
    return draw.Tree(
        names=[names[0], names[2]], groups=["Ganglioneuroblastoma", "normal"], objects=[1, 3],
        parts={"test": [names[1], names[3]]},
        gone="S-BSST265/groundtruth/normal_0.tif", told="normal_0",
    )  # fmt: skip


def cellpose(root, draw):
    """RGB images that are red and green; a single channel is all green."""
    import numpy as np

    for part, count in (("train", 2), ("test", 1)):
        for number in range(count):
            labels = draw.labels(number + 2)
            green = draw.grey(labels)
            red = draw.grey(labels, high=90) if number == 0 else np.zeros_like(green)
            image = np.stack([red, green, np.zeros_like(green)], axis=-1)
            draw.save(root / part / f"{number:03d}_img.png", image)
            draw.save(root / part / f"{number:03d}_masks.png", labels.astype("uint16"))
    return draw.Tree(
        names=["000", "001"], groups=["", ""], objects=[2, 3], shape=(24, 32, 2),
        channels=("nucleus", "cytoplasm"), parts={"test": ["000"]}, gone="train/001_masks.png", told="001",
    )  # fmt: skip


def livecell(root, draw):
    """COCO polygons; training and validation images share a folder, one lies deeper."""
    pieces = {
        "train": ("A172_Phase_A7_1_00d00h00m_1.tif", "A172_Phase_A7_1_00d04h00m_2.tif"),
        "val": ("SKOV3_Phase_H4_2_01d00h00m_1.tif",),
        "test": ("A172_Phase_B7_1_00d00h00m_1.tif",),
    }
    for part, names in pieces.items():
        folder = "livecell_test_images" if part == "test" else "livecell_train_val_images"
        images, annotations = [], []
        for number, name in enumerate(names, 1):
            deeper = name.partition("_")[0] if name.startswith("SKOV3") else ""
            draw.save(root / "images" / folder / deeper / name, draw.grey(draw.labels(3)))
            images.append({"id": number * 7, "file_name": name, "height": 24, "width": 32})
            for at, (y, x) in enumerate(((2, 2), (2, 10), (2, 18))):
                ring = [x, y, x + 4, y, x + 4, y + 4, x, y + 4]
                annotations.append(
                    {"id": number * 100 + at, "image_id": number * 7, "segmentation": [ring],
                     "bbox": [x, y, 4, 4], "area": 25.0, "iscrowd": 0, "category_id": 1}
                )  # fmt: skip
        found = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "cell"}],
        }
        draw.text(root / f"livecell_coco_{part}.json", json.dumps(found))
    stems = [name.removesuffix(".tif") for name in (*pieces["train"], *pieces["val"])]
    return draw.Tree(
        names=stems, groups=["A172-A7", "A172-A7", "SKOV3-H4"], objects=[3, 3, 3],
        parts={"test": ["A172_Phase_B7_1_00d00h00m_1"]},
        gone="livecell_coco_val.json", told="livecell_coco_val.json",
    )  # fmt: skip


def tnbc(root, draw):
    """RGBA tissue, a mask of foreground, one folder a patient."""
    for slide in ("01", "02"):
        for number in (1, 2):
            labels = draw.labels(number + 1)
            name = f"{slide}_{number}.png"
            base = root / "TNBC_NucleiSegmentation"
            draw.save(base / f"Slide_{slide}" / name, draw.colour(labels, 4))
            draw.save(base / f"GT_{slide}" / name, ((labels > 0) * 255).astype("uint8"))
    return draw.Tree(
        names=["01_1", "01_2", "02_1", "02_2"], groups=["01", "01", "02", "02"],
        objects=[2, 3, 2, 3], shape=(24, 32, 3),
        gone="TNBC_NucleiSegmentation/GT_02/02_1.png", told="02_1",
    )  # fmt: skip


def murphylab(root, draw):
    """Equal RGB channels, numbers without leading zeros, three fields without labels."""
    pieces = {"gnf": (0, 2, 10, 31), "ic100": (1, 25), "ksr": (0,)}
    for name, numbers in pieces.items():
        for number in numbers:
            labels = draw.labels(3)
            image = root / "data" / "images" / "dna-images" / name / f"dna-{number}.png"
            draw.save(image, draw.same(draw.grey(labels)))
            if name != "ksr" and number not in (25, 31):
                place = root / "data" / "preprocessed-data" / name / f"dna-{number}.png"
                draw.save(place, labels.astype("uint8"))
    return draw.Tree(
        names=[f"gnf/dna-{n}" for n in (0, 2, 10, 31)] + ["ic100/dna-1", "ic100/dna-25"],
        groups=["gnf"] * 4 + ["ic100"] * 2, objects=[3, 3, 3, None, 3, None],
        gone="data/preprocessed-data/gnf/dna-2.png", told="gnf/dna-2.png has no labels",
    )  # fmt: skip


def digitpath(root, draw):
    names = ("8863_500_f00015", "8863_500_f00073", "12750_500_f00003")
    for number, name in enumerate(names, 1):
        labels = draw.labels(number)
        draw.save(root / "nuclei" / f"{name}_original.tif", draw.colour(labels))
        draw.save(root / "nuclei" / f"{name}_mask.png", labels > 0)
    return draw.Tree(
        names=[names[2], names[0], names[1]], groups=["12750", "8863", "8863"],
        objects=[3, 1, 2], shape=(24, 32, 3),
        gone=f"nuclei/{names[1]}_mask.png", told=names[1],
    )  # fmt: skip


def ucsb(root, draw):
    names = ("ytma10_010704_benign1", "ytma10_010704_malignant2", "ytma12_010804_benign1")
    for number, name in enumerate(names, 1):
        labels = draw.labels(number)
        draw.save(root / "Breast Cancer Cells" / f"{name}_ccd.tif", draw.colour(labels))
        truth = ((labels > 0) * 255).astype("uint8")
        draw.save(root / "Breast Cancer Cells GroundTruth" / f"{name}.TIF", truth)
    return draw.Tree(
        names=[*names], groups=["ytma10_010704", "ytma10_010704", "ytma12_010804"],
        objects=[1, 2, 3], shape=(24, 32, 3), info={"diagnosis": "benign"},
        gone=f"Breast Cancer Cells GroundTruth/{names[2]}.TIF", told=names[2],
    )  # fmt: skip


TREES = {
    "dsb2018": dsb2018,
    "stardist": stardist,
    "computational-pathology": compath,
    "frunet": frunet,
    "s-bsst265": s_bsst265,
    "cellpose": cellpose,
    "livecell": livecell,
    "tnbc": tnbc,
    "murphylab": murphylab,
    "digital-pathology": digitpath,
    "ucsb": ucsb,
}
