"""Settings to try: every registered method, each with values of its parameters.

Nothing comes in but what the registry knows, a list of (method, parameters) goes out.
Methods that have no values written down here are tried at their defaults and with each
usual parameter halved and half as much again, so that a new method needs no line here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from bioimage_tasks.segmentation import registry

#: A method's name and its parameters.
Setting = tuple[str, dict[str, Any]]

RULES = ("otsu", "ridler-calvard", "li", "triangle", "mean")
#: Values by method; several rows where one parameter means something with some others only.
WRITTEN: dict[str, tuple[dict[str, Sequence[Any]], ...]] = {
    "global-threshold": ({"rule": RULES, "power": (1.0, 0.5), "split": (0.0, 0.06)},),
    "local-threshold": (
        {"rule": ("mean", "gaussian", "sauvola"), "window": (2.0, 3.0, 5.0)},
        {"rule": ("contrast",), "fraction": (0.3, 0.4, 0.5), "split": (0.03, 0.06)},
    ),
    "watershed": ({"markers": ("distance", "intensity", "both"), "depth": (0.03, 0.06, 0.1)},),
    "root-contrast": ({"fraction": (0.5, 0.65, 0.8), "split": (0.03, 0.05, 0.08, 0.12)},),
}
#: Parameters that other methods are tried with.
USUAL = ("fraction", "split", "depth", "window", "smoothing")


def sweep(method: str, **values: Sequence[Any]) -> list[Setting]:
    """Return every combination: ``sweep("watershed", depth=[0.03, 0.1])``.

    Raises
    ------
    ValueError
        Unknown method or parameter.
    """
    known = registry.parameters(method)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(
            f"sweep: {method!r} takes {', '.join(known)}; got unknown {', '.join(unknown)}"
        )
    return [(method, dict(zip(values, each, strict=True))) for each in product(*values.values())]


def defaults() -> list[Setting]:
    """Return every registered method with its defaults."""
    return [(method, {}) for method in registry.methods()]


def full() -> list[Setting]:
    """Return every registered method with its values, none twice."""
    settings = [
        setting
        for method in registry.methods()
        for row in WRITTEN.get(method, ())
        for setting in sweep(method, **row)
    ]
    for method in registry.methods():
        settings.append((method, {}))
        if method not in WRITTEN:
            settings += _around(method)
    return settings


def _around(method: str) -> list[Setting]:
    known = registry.parameters(method)
    return [
        (method, {name: round(known[name] * share, 6)})
        for name in USUAL
        if isinstance(known.get(name), float) and known[name] > 0
        for share in (0.5, 1.5)
    ]
