"""Published forms of annotation, each turned into labels by a decoder with a name."""

from __future__ import annotations

from bioimage_tasks.datasets.annotations.overlap import paint
from bioimage_tasks.datasets.annotations.registry import Source, decode, get, kinds, register

__all__ = ["Source", "decode", "get", "kinds", "paint", "register"]
