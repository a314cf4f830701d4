"""What a task is given as an image: a reference, read when the task runs, or the pixels."""

from __future__ import annotations

from os import PathLike
from typing import Any

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.marks import BoxesRef


def read(function: str, value: Any) -> Any:
    """Return what a reference refers to; arrays and all else as they are.

    Parameters
    ----------
    function : str
        Name of the task, put in front of the message.
    value : ImageRef, LabelsRef, BoxesRef or array_like

    Raises
    ------
    ValueError
        It is a path: its task would have the path for a key, not the image's content.
    """
    if isinstance(value, ImageRef | LabelsRef | BoxesRef):
        return value.read()
    if isinstance(value, str | PathLike):
        raise ValueError(
            f"{function}: an image must come as a reference, so that its content makes the key, "
            f"or as an array; write ImageRef(path), or LabelsRef(path) for labels; got {value!r}"
        )
    return value


def check_some(function: str, name: str, values: Any) -> None:
    """Raise ``ValueError`` unless there is one value or more."""
    if not len(values):
        raise ValueError(f"{function}: needs at least one of {name}; got none")


def check_as_many(function: str, **lists: Any) -> None:
    """Raise ``ValueError`` unless all lists hold one value an image, and one image at least."""
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) != 1 or not min(lengths.values()):
        raise ValueError(
            f"{function}: {', '.join(lengths)} must be as many, one an image; got "
            f"{', '.join(map(str, lengths.values()))}"
        )
