"""jug.io: results and what is known of them, written to files by tasks."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from taskgraph.compose import NoLoad
from taskgraph.task import Task, TaskGenerator

__all__ = ["NoLoad", "print_task_summary_table", "write_metadata", "write_task_out"]


def _do_write_task_out(
    result_value: Any,
    result: NoLoad,
    oname: str | None,
    metadata_fname: str | None = None,
    metadata_format: str = "yaml",
) -> None:
    """Write a result and the description of its task."""
    if metadata_fname is not None:
        from taskgraph.compat.jug.task import describe

        text = _dump_metadata(describe(result.base), metadata_format.lower())
        Path(metadata_fname).write_text(text, encoding="utf-8")
    if oname is not None:
        with Path(oname).open("wb") as output:
            _write(result_value, output)


def _dump_metadata(described: Any, form: str) -> str:
    if form == "json":
        import json

        return json.dumps(described)
    if form == "yaml":
        from importlib import import_module

        return str(import_module("yaml").dump(described))
    raise ValueError(f"Metadata is written as 'yaml' or 'json'; got {form!r}.")


def _write(value: Any, output: Any) -> None:
    if type(value).__module__ == "numpy" and type(value).__qualname__ == "ndarray":
        from importlib import import_module

        import_module("numpy").save(output, value)
    else:
        import pickle

        pickle.dump(value, output)


_write_task = TaskGenerator(_do_write_task_out, name="jug.io._do_write_task_out")


def write_task_out(
    result: Task,
    oname: str | None,
    metadata_fname: str | None = None,
    metadata_format: str = "yaml",
) -> Task:
    """``write_task_out(task, "x.pkl")``: a task that writes a result to a file.

    Parameters
    ----------
    result : Task
        An array is written as ``.npy``, anything else as a pickle.
    oname : str
        Name of the file.
    metadata_fname : str, optional
        Where the description of the computation goes (see ``jug.task.describe``).
    metadata_format : {"yaml", "json"}
        Its format; yaml needs PyYAML.
    """
    task: Task = _write_task(result, NoLoad(result), oname, metadata_fname, metadata_format)
    return task


def write_metadata(result: Task, metadata_fname: str, metadata_format: str = "yaml") -> Task:
    """``write_metadata(task, "x.yaml")``: a task that writes the description alone."""
    return write_task_out(result, None, metadata_fname, metadata_format)


def print_task_summary_table(options: Any, groups: list[tuple[str, dict[str, int]]]) -> None:
    """Print how many tasks of each name are in each group.

    Parameters
    ----------
    options : object
        ``options.short`` asks for totals; ``options.print_out`` prints.
    groups : list of (str, dict)
        Title and counts by name.
    """
    if not options.short:
        names = sorted({name for _, counts in groups for name in counts})
        columns = [Counter(counts) for _, counts in groups]
        options.print_out("".join(f"{title:>12}" for title, _ in groups) + "  Task name")
        for name in names:
            options.print_out("".join(f"{counts[name]:>12}" for counts in columns) + f"  {name}")
    for title, counts in groups if options.short else []:
        options.print_out(f"{title}:  {sum(counts.values())} tasks")
    total = sum(sum(counts.values()) for _, counts in groups)
    options.print_out(f"** Total: {total} tasks.")


def get_terminal_size() -> tuple[int, int]:
    """Return columns and lines of the terminal."""
    return tuple(shutil.get_terminal_size((80, 25)))  # type: ignore[return-value]
