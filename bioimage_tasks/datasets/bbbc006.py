"""BBBC006: U2OS cells in focus and out of it, one plate.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bioimage_tasks.checks import check_range
from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import by_pattern, channel_files, well
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc

#: The plane in focus, and how many there are.
IN_FOCUS, PLANES = 16, 34

_SPLIT = by_pattern(r"(?P<key>.+?)_w(?P<channel>[12]).*", {"1": "hoechst", "2": "phalloidin"})


@register
class Bbbc006(Published):
    """U2OS cells, 768 fields of 384 wells: ``Bbbc006(root, z=20).images()``.

    Parameters
    ----------
    z : int
        Plane, 2 micrometres apart; 16 is in focus.
    """

    name = "bbbc006"
    acronym = "BBBC006"
    title = "U2OS cells, focus series, nuclei and actin"
    licence = "CC0 1.0"
    citation = (
        "Bray, Fraser, Hasaka, Carpenter. Workflow and metrics for image quality control in "
        "large-scale high-content screens. J. Biomol. Screen. 17:266 (2012), "
        f"doi:10.1177/1087057111420292; {BBBC_CITATION}"
    )
    url = "https://bbbc.broadinstitute.org/BBBC006"
    layout = (
        "BBBC006_v1_images_z_ZZ/*_<well>_s<site>_w{1,2}<uuid>.tif, "
        "BBBC006_v1_labels/*_<well>_s<site>.png"
    )
    expected = ("BBBC006_v1_images_z_*/*.tif", "BBBC006_v1_labels/*.png")
    channel_names = ("hoechst", "phalloidin")
    annotated = "768 images, every nucleus (in the plane in focus)"
    grouping = "well; all are of one plate"
    quirks = (
        "12 bits in uint16: 4095 is the most",
        "names of the files of one image differ by a UUID: paired by well and site",
        "fetch takes the plane in focus; --only 'BBBC006_v1_images_z_*' all 34",
    )
    remotes = (
        *bbbc("BBBC006", BBBC006_v1_labels=""),
        *(
            remote
            for z in (IN_FOCUS, *(z for z in range(PLANES) if z != IN_FOCUS))
            for remote in bbbc("BBBC006", **{f"BBBC006_v1_images_z_{z:02d}": ""})
        ),
    )
    first = ("BBBC006_v1_labels.zip", "BBBC006_v1_images_z_16.zip")

    def __init__(self, root: str | Path, *, z: int = IN_FOCUS, **options: Any) -> None:
        super().__init__(root, **options)
        self.z = int(check_range("Bbbc006", "z", z, 0, PLANES - 1))

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields of a plane, sorted by well and site.

        Raises
        ------
        FileNotFoundError
            A folder, a channel or a label image is missing.
        """
        paths = files(root, f"BBBC006_v1_images_z_{self.z:02d}/*.tif")
        images = channel_files(paths, _SPLIT, self.channel_names)
        labels = keyed(files(root, "BBBC006_v1_labels/*.png"))
        check_partners({key: both[0] for key, both in images.items()}, labels)
        return [
            ImageRef(both[0], labels[key], well(key), key, channel_paths=both)
            for key, both in images.items()
        ]
