"""Real images that arrive with mahotas and StarDist from the package index.

Nothing comes in, references into the installed packages go out. StarDist is only looked
up, never imported: its import needs numba and csbdeep, its sample images need nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef


def packaged_file(package: str, inner: str, remedy: str) -> str:
    """Return the path of a file inside an installed package, without importing it.

    Raises
    ------
    FileNotFoundError
        The package is not installed or no longer has the file; ends with ``remedy``.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, inner)
        if path.is_file():
            return str(path)
    state = "is not installed" if spec is None else f"has no {inner}"
    raise FileNotFoundError(
        f"the sample image {inner} of {package} is needed; {remedy}; {package} {state}"
    )


@dataclass(frozen=True)
class PackagedNuclei:
    """StarDist's outlined field and mahotas' plain one: ``PackagedNuclei().images()``.

    ``img2d`` has 125 hand-outlined nuclei (of the 2018 Data Science Bowl); ``nuclear`` has
    none outlined and shows NIH 3T3 cells (dna-21 of Coelho 2009).
    """

    name: str = "packaged-nuclei"
    licence: str = "BSD-3-Clause (StarDist; its data CC0), MIT (mahotas)"
    citation: str = (
        "Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7; "
        "Coelho et al. 2009, doi:10.1109/ISBI.2009.5193098"
    )
    layout: str = "stardist/data/images/img2d.tif, mask2d.tif; mahotas/demos/data/nuclear.png"

    def images(self) -> list[ImageRef]:
        """Return the two images.

        Raises
        ------
        FileNotFoundError
            A package is missing; the message says how to get it.
        """
        return [stardist_field(), mahotas_field()]


def stardist_field() -> ImageRef:
    """Return StarDist's ``img2d.tif``, 512 x 512, with its gold standard."""
    remedy = "install it with: pip install --no-deps stardist"
    return ImageRef(
        packaged_file("stardist", "data/images/img2d.tif", remedy),
        packaged_file("stardist", "data/images/mask2d.tif", remedy),
        group="dsb2018",
    )


def mahotas_field() -> ImageRef:
    """Return mahotas' ``nuclear.png``, 1344 x 1024, without a gold standard."""
    remedy = "install it with: pip install mahotas"
    return ImageRef(
        packaged_file("mahotas", "demos/data/nuclear.png", remedy), group="ic100", channel=0
    )
