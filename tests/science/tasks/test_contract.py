"""Every task keeps its word: the plain function's result, a stable key, a clear refusal."""

from __future__ import annotations

import inspect
import json
import runpy
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bioimage_tasks import io, learning, tasks
from bioimage_tasks.datasets import ImageRef, LabelsRef
from taskgraph import codecs

HERE = Path(__file__).parent
GOLDEN = HERE.parents[1] / "golden" / "task_keys.json"
SHARED = runpy.run_path(str(HERE / "conftest.py"))
CASES, same = SHARED["all_cases"](), SHARED["same"]
TASKS = {name: getattr(tasks, name) for name in tasks.__all__ if name != "Setting"}


@pytest.fixture
def case(request, made, tmp_path):
    return request.param, CASES[request.param](made, tmp_path)


every = pytest.mark.parametrize("case", sorted(TASKS), indirect=True)


def test_the_eye_for_equal_values_sees_a_difference(made):
    way = made.ways[0]
    assert same([way, {"a": np.nan}], [deepcopy(way), {"a": np.nan}])
    for planted in (
        replace(way, name="x"),
        replace(way, predicted=np.nextafter(way.predicted, 9)),
        replace(way, truth=way.truth.astype(np.float32)),
        made.ways[1],
        None,
    ):
        assert not same(way, planted)
    assert not same({"a": 1.0}, {"a": 1})
    assert not same((1, 2), (1, 2, 3))


def test_every_task_has_a_case_and_every_case_a_task():
    assert sorted(CASES) == sorted(TASKS)


@every
def test_a_task_gives_what_the_plain_function_gives(case, tmp_path):
    """And what comes back from a store is the same again."""
    name, case = case
    found = TASKS[name](**case.call).call(lambda value: value)
    payload, _ = codecs.encode(found)
    again = codecs.decode(payload if isinstance(payload, bytes) else b"".join(payload))
    assert same(case.look(found), case.look(case.plain()))
    assert same(case.look(again), case.look(found))
    if case.drawn is not None:
        assert np.array_equal(io.read_image(found), case.drawn())
    for file, text in case.written().items():
        assert (tmp_path / file).read_text(encoding="utf-8") == text


@every
def test_a_key_follows_from_the_arguments_alone(case):
    name, case = case
    key = TASKS[name](**case.call).hash()
    assert TASKS[name](**deepcopy(case.call)).hash() == key
    others = [
        TASKS[name](**{**case.call, what: value}).hash() for what, value in case.other.items()
    ]
    assert len({key, *others}) == 1 + len(case.other)


@every
def test_bad_input_is_refused_in_words_and_leaves_no_file(case, tmp_path):
    name, case = case
    assert case.bad
    before = sorted(tmp_path.rglob("*"))
    for changed, message in case.bad:
        with pytest.raises(ValueError, match=message) as trouble:
            TASKS[name].f(**{**case.call, **changed})
        function, colon, rule = str(trouble.value).partition(": ")
        assert colon, "an error names the function"
        assert function.replace(".", "").isidentifier()
        assert rule
    assert sorted(tmp_path.rglob("*")) == before


def images_of(name, kinds=("ImageRef", "LabelsRef")):
    """Return the parameters of a task that take references: (name, kind, whether several)."""
    found = []
    for one in inspect.signature(TASKS[name].f).parameters.values():
        for kind in kinds:
            if kind in str(one.annotation):
                found.append((one.name, kind, str(one.annotation).startswith("Sequence")))
    return found


@pytest.mark.parametrize("case", sorted(filter(images_of, TASKS)), indirect=True)
def test_a_reference_is_as_good_as_the_pixels_and_a_path_is_refused(case, tmp_path):
    """A path would make a key of where an image lies, not of what it shows."""
    name, case = case
    expected = case.look(case.plain())
    for parameter, kind, several in images_of(name):
        arrays = case.call[parameter] if several else [case.call[parameter]]
        if any(not isinstance(one, np.ndarray) for one in arrays):
            continue  # it is a reference in the case, or left out
        references = []
        for number, array in enumerate(arrays):
            path = tmp_path / "given" / f"{parameter}-{number}.tif"
            if kind == "ImageRef":
                io.write_image(path, array)
                channel = tuple(range(array.shape[2])) if array.ndim == 3 else None
                references.append(ImageRef(str(path), channel=channel))
            else:
                io.write_labels(path, array)
                references.append(LabelsRef(str(path)))
        given = references if several else references[0]
        found = TASKS[name](**{**case.call, parameter: given}).call(lambda value: value)
        assert same(case.look(found), expected), parameter
        path = ["a.png"] * len(arrays) if several else "a.png"
        with pytest.raises(ValueError, match=rf"^{name}: an image must come as a reference"):
            TASKS[name].f(**{**case.call, parameter: path})


def key_of(name):
    """Return the key of a call whose arguments are the names of the parameters."""
    needed = [
        one.name
        for one in inspect.signature(TASKS[name].f).parameters.values()
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    return TASKS[name](*needed).hash()


def test_the_keys_of_the_tasks_are_pinned():
    """A changed name, version or signature recomputes everybody's results.

    To change it on purpose: raise the task's ``version``, say in the CHANGELOG which results
    are computed again, and write the file anew with ``key_of``. New tasks add a line.
    """
    assert json.loads(GOLDEN.read_text()) == {name: key_of(name) for name in sorted(TASKS)}


def test_a_fold_that_leaks_is_seen_by_the_task(made):
    leaky = learning.group_k_fold(made.groups, 6, by_image=True)
    results = learning.cross_predict("mean", made.rows, made.y, leaky)
    with pytest.raises(learning.GroupLeak, match="on both sides"):
        tasks.gathered.f(results, made.y, made.groups)
