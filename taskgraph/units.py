"""Sizes and resources as people write them: ``"8G"`` -> 8589934592.0, ``"90m"`` -> 5400.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskgraph.errors import UsageError

_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_TIMES = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_size(text: str | float) -> float:
    """Return bytes of ``8G``, ``512M``, ``1.5GiB`` or a plain number."""
    if isinstance(text, int | float):
        return float(text)
    word = text.strip().upper().removesuffix("IB").removesuffix("B")
    number, unit = (word[:-1], word[-1]) if word and word[-1] in _SIZES else (word, "")
    try:
        return float(number) * _SIZES[unit]
    except ValueError:
        raise UsageError(
            f"A size is a number with K, M, G or T behind it, such as 8G; got {text!r}."
        ) from None


def parse_duration(text: str | float) -> float:
    """Return seconds of ``90s``, ``5m``, ``2h``, ``7d`` or a plain number of seconds."""
    if isinstance(text, int | float):
        return float(text)
    word = text.strip()
    number, unit = (word[:-1], word[-1]) if word and word[-1] in _TIMES else (word, "")
    try:
        return float(number) * _TIMES[unit]
    except ValueError:
        raise UsageError(
            f"A time is a number with s, m, h, d or w behind it, such as 7d; got {text!r}."
        ) from None


def parse_resources(given: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Return resources as numbers, ``memory`` in bytes."""
    if not given:
        return None
    if not isinstance(given, Mapping):
        raise UsageError(f'Resources are a mapping such as {{"gpu": 1}}; got {given!r}.')
    numbers = {name: parse_size(amount) for name, amount in given.items()}
    for name, amount in numbers.items():
        if amount < 0:
            raise UsageError(f"A resource can't be negative: {name} is {given[name]!r}.")
    return numbers


def format_resources(amounts: Mapping[str, float]) -> str:
    """Return ``gpu=1,memory=8G``, as it is written behind ``--resources``."""
    return ",".join(
        f"{name}={_binary(amount) if name == 'memory' else f'{amount:g}'}"
        for name, amount in amounts.items()
    )


def _binary(size: float) -> str:
    unit = next((unit for unit in "TGMK" if size >= _SIZES[unit]), "")
    return f"{size / _SIZES[unit]:.3g}{unit}"


def format_size(size: float) -> str:
    """Return ``1.5 GB`` and the like, decimal."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size) < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def format_duration(seconds: float) -> str:
    """Return ``350 ms``, ``12 s``, ``3 min 20 s``, ``5 h 12 min``, ``3 d 4 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
