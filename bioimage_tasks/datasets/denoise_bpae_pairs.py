"""One field at short and at long exposure: 8 pairs to learn denoising from.

The folder comes in, references go out whose two channels are the noisy and the clean image.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.annotations.files import table
from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register


@register
class DenoiseBpaePairs(Published):
    """Noisy and clean: ``DenoiseBpaePairs(root, channels="low").images()`` is the noisy side."""

    name = "denoise-bpae-pairs"
    title = "BPAE cells and others, short and long exposure"
    licence = "see doi:10.5524/100888; the repository it is from is GPL-3.0"
    citation = (
        "Hagen et al. Fluorescence microscopy datasets for training deep neural networks. "
        "GigaScience 10:giab032 (2021), doi:10.1093/gigascience/giab032"
    )
    url = "https://github.com/ND-HowardGroup/Instant-Image-Denoising"
    layout = "low/NAME.png, high/NAME.png (8-bit grey), pairs.csv (file, structure, condition)"
    expected = ("low/*.png", "high/*.png", "pairs.csv")
    channel_names = ("low", "high")
    annotated = "8 pairs; the clean image is the second channel"
    grouping = "structure that is stained: actin, mito, membrane or nucleus"
    quirks = ("each file was scaled by itself: fit gain and offset before PSNR or SSIM",)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the pairs, sorted by name, with ``info`` "structure" and "condition".

        Raises
        ------
        FileNotFoundError
            A folder, a partner, the table or a row of it is missing.
        """
        low, high = keyed(files(root, "low/*.png")), keyed(files(root, "high/*.png"))
        check_partners(low, high, "partner in high/")
        pairs = root / "pairs.csv"
        if not pairs.is_file():
            raise FileNotFoundError(f"what the pairs show must lie in pairs.csv; got no {pairs}")
        rows = {
            Path(row["file"]).stem: row
            for row in table(str(pairs), ("file", "structure", "condition"))
        }
        check_partners(low, dict.fromkeys(rows, str(pairs)), "row of pairs.csv")
        return [
            ImageRef(
                path, group=rows[name]["structure"], name=name, channel_paths=(path, high[name]),
                info=tuple((key, rows[name][key]) for key in ("structure", "condition")),
            )
            for name, path in low.items()
        ]  # fmt: skip
