"""Pictures for people, as RGB arrays of uint8; writing them is the caller's business.

Overlays are made of pixels; charts by matplotlib, loaded when the first one is drawn, with
axes named, units in the names, and colours that don't need red told from green.
"""

from __future__ import annotations

from bioimage_tasks.plots.contact import contact_sheet
from bioimage_tasks.plots.matrices import confusion_matrix, sweep_map
from bioimage_tasks.plots.overlays import (
    BOTH_COLOUR,
    GOLD_COLOUR,
    LABELS_COLOUR,
    Picture,
    coloured,
    outlines,
    overlay,
)
from bioimage_tasks.plots.predictions import group_strips, predicted_vs_true
from bioimage_tasks.plots.residuals import residual_matrix

__all__ = [
    "BOTH_COLOUR",
    "GOLD_COLOUR",
    "LABELS_COLOUR",
    "Picture",
    "coloured",
    "confusion_matrix",
    "contact_sheet",
    "group_strips",
    "outlines",
    "overlay",
    "predicted_vs_true",
    "residual_matrix",
    "sweep_map",
]
