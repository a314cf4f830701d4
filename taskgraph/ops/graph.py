"""``graph``: a picture of the graph as text for dot or mermaid, or drawn by ``dot``.

A session flows in, text or a file flows out. By default one box per function with counts
of its tasks; per task on demand, where the graph is small enough to be looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from taskgraph.errors import TaskGraphError, UsageError
from taskgraph.ops.arguments import arguments, short
from taskgraph.ops.states import BLOCKED, DONE, FAILED, READY, RUNNING, STATES, WAITING, states
from taskgraph.session import Session

#: More boxes than this are no picture.
MOST_BOXES = 5_000

COLOURS = {
    WAITING: "#e0e0e0",
    READY: "#fff3b0",
    RUNNING: "#a8d1ff",
    DONE: "#b7e4c7",
    FAILED: "#ff9b9b",
    BLOCKED: "#d8b4e2",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A function or a task in the picture."""

    label: tuple[str, ...]  #: lines
    state: int  #: the most troubled one of its tasks


@dataclass(frozen=True, slots=True)
class Picture:
    """The graph as text, or the file it was drawn into."""

    form: str  #: "dot", "mermaid", "svg" or "png"
    text: str  #: "" for svg and png
    path: Path | None = None


def graph(
    session: Session,
    form: str = "dot",
    *,
    per_task: bool = False,
    path: Path | None = None,
    nodes: Iterable[int] | None = None,
) -> Picture:
    """``picture = graph(session, "mermaid")``: the graph, coloured by state.

    Parameters
    ----------
    session : Session
        A jugfile that has been read.
    form : str
        ``dot``, ``mermaid``, ``svg`` or ``png``; the last two need the program ``dot``.
    per_task : bool
        One box per task instead of one per function.
    path : Path, optional
        Where to write; needed for svg and png.
    nodes : iterable of int, optional
        Draw only these.

    Raises
    ------
    UsageError
        For an unknown form, a missing path, or more than 5,000 boxes.
    TaskGraphError
        If ``dot`` is absent or fails.
    """
    if form not in ("dot", "mermaid", "svg", "png"):
        raise UsageError(f"A graph is drawn as dot, mermaid, svg or png; got {form!r}.")
    session.look()
    state = states(session)
    chosen = range(len(state)) if nodes is None else sorted(set(nodes))
    boxes, arrows = (_tasks if per_task else _functions)(session, state, chosen)
    text = mermaid(boxes, arrows) if form == "mermaid" else dot(boxes, arrows)
    if form in ("svg", "png"):
        if path is None:
            raise UsageError(f"A drawing as {form} needs a file to go to; name one with --output.")
        draw(text, form, path)
        return Picture(form, "", path)
    if path is not None:
        path.write_text(text, encoding="utf-8")
    return Picture(form, text, path)


def dot(boxes: list[Box], arrows: dict[tuple[int, int], int]) -> str:
    """Return the text for the program ``dot``."""
    lines = ["digraph taskgraph {", "  rankdir=LR;"]
    lines.append('  node [shape=box, style="rounded,filled", fontname="sans-serif"];')
    for place, box in enumerate(boxes):
        label = "\\n".join(_dot_text(line) for line in box.label)
        lines.append(f'  n{place} [label="{label}", fillcolor="{COLOURS[box.state]}"];')
    for (source, target), number in arrows.items():
        note = f' [label="{number}"]' if number > 1 else ""
        lines.append(f"  n{source} -> n{target}{note};")
    return "\n".join([*lines, "}", ""])


def mermaid(boxes: list[Box], arrows: dict[tuple[int, int], int]) -> str:
    """Return the text for mermaid."""
    lines = ["graph LR"]
    for place, box in enumerate(boxes):
        label = "<br/>".join(_mermaid_text(line) for line in box.label)
        lines.append(f'  n{place}["{label}"]:::{STATES[box.state]}')
    for (source, target), number in arrows.items():
        arrow = f"-->|{number}|" if number > 1 else "-->"
        lines.append(f"  n{source} {arrow} n{target}")
    used = sorted({box.state for box in boxes})
    lines += [f"  classDef {STATES[kind]} fill:{COLOURS[kind]}" for kind in used]
    return "\n".join([*lines, ""])


def draw(text: str, form: str, path: Path) -> None:
    """Let the program ``dot`` write the picture."""
    import subprocess
    from shutil import which

    program = which("dot")
    if program is None:
        raise TaskGraphError(
            f"A drawing as {form} needs the program `dot`, which is not installed. Install "
            "graphviz (for example `apt install graphviz`), or ask for dot or mermaid text."
        )
    command = [program, f"-T{form}", "-o", str(path)]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise TaskGraphError(
            f"The program `dot` must be able to write {path}; it ended with {done.returncode}: "
            f"{done.stderr.strip()[:300]}"
        )


def _functions(
    session: Session, state: bytearray, chosen: Iterable[int]
) -> tuple[list[Box], dict[tuple[int, int], int]]:
    """Return a box per function and the number of edges between any two."""
    names = [task.shape.name for task in session.graph.tasks]
    counts: dict[str, Counter[int]] = {}
    for node in chosen:
        counts.setdefault(names[node], Counter())[state[node]] += 1
    place = {name: number for number, name in enumerate(counts)}
    arrows: Counter[tuple[int, int]] = Counter()
    for source, target in _edges(session, chosen):
        arrows[place[names[source]], place[names[target]]] += 1
    boxes = [Box((name, *_told(count)), _worst(count)) for name, count in counts.items()]
    return boxes, arrows


def _tasks(
    session: Session, state: bytearray, chosen: Iterable[int]
) -> tuple[list[Box], dict[tuple[int, int], int]]:
    """Return a box per task."""
    nodes = list(chosen)
    if len(nodes) > MOST_BOXES:
        raise UsageError(
            f"A picture of single tasks has at most {MOST_BOXES} boxes; select fewer tasks or draw "
            f"functions; got {len(nodes)} tasks."
        )
    place = {node: number for number, node in enumerate(nodes)}
    boxes = []
    for node in nodes:
        task = session.graph.tasks[node]
        told = ", ".join(f"{name}={short(value)[:24]}" for name, value in arguments(task).items())
        boxes.append(Box((task.shape.name, told[:60], task.key[:4].hex()), state[node]))
    return boxes, {(place[a], place[b]): 1 for a, b in _edges(session, nodes)}


def _edges(session: Session, chosen: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Give the edges between chosen nodes, (dependency, dependent)."""
    nodes = set(chosen)
    for node in sorted(nodes):
        for source in session.graph.dependencies(node):
            if source in nodes:
                yield source, node


def _told(count: Counter[int]) -> list[str]:
    return [f"{count[kind]} {word}" for kind, word in enumerate(STATES) if count[kind]]


def _worst(count: Counter[int]) -> int:
    order = (FAILED, BLOCKED, RUNNING, READY, WAITING, DONE)
    return next(kind for kind in order if count[kind])


def _dot_text(line: str) -> str:
    return line.replace("\\", "\\\\").replace('"', '\\"')


def _mermaid_text(line: str) -> str:
    for sign, name in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        line = line.replace(sign, name)
    return line
