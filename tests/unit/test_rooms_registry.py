"""The registry that the rooms of bioimage_tasks share: one file more is one name more."""

from __future__ import annotations

import importlib
import sys

import pytest

from bioimage_tasks.registry import Registry, check_signature, defaults

ROOM = "planted_room"
HEAD = f"from {ROOM} import registry\n"


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A package of two files, each of which puts one name in; its folder and its registry."""
    folder = tmp_path / ROOM
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from bioimage_tasks.registry import Registry\n"
        f'registry = Registry("{ROOM}", one="way", none="no way", asked="go")\n'
    )
    for name in ("left", "right"):
        (folder / f"{name}.py").write_text(f"{HEAD}def way(): ...\nregistry.put('{name}', way)\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder, __import__(ROOM).registry
    for name in [each for each in sys.modules if each.partition(".")[0] == ROOM]:
        del sys.modules[name]


def test_files_are_read_on_the_first_look_up_and_no_sooner(room):
    folder, registry = room
    assert f"{ROOM}.left" not in sys.modules
    assert "left" not in registry
    assert registry.find("left").__module__ == f"{ROOM}.left"
    assert registry.names() == ("left", "right")
    (folder / "up.py").write_text(f"{HEAD}registry.put('up', 1, by=registry.put)\n")
    assert registry.find("up") == 1
    assert registry.names() == ("left", "right", "up")


def test_a_known_name_reads_no_file(room):
    folder, registry = room
    registry.put("mine", 1, by=Registry)
    (folder / "broken.py").write_text("raise RuntimeError('must not be read')\n")
    assert registry.find("mine") == 1


def test_an_unknown_name_lists_what_there_is(room):
    with pytest.raises(ValueError, match=r"^go: no way has this name; there are left, right; got"):
        room[1].find("up")


def test_a_file_that_cannot_be_read_is_told_each_time_and_is_no_missing_name(room):
    folder, registry = room
    (folder / "aaa.py").write_text("import no_such_library\n")
    for look in (registry.names, registry.names, lambda: registry.find("left")):
        with pytest.raises(ModuleNotFoundError, match="no_such_library"):
            look()
    (folder / "aaa.py").write_text("x = 1\n")
    assert registry.names() == ("left", "right")


def test_sub_packages_are_left_alone(room):
    folder, registry = room
    (folder / "below").mkdir()
    (folder / "below" / "__init__.py").write_text("raise RuntimeError\n")
    assert registry.names() == ("left", "right")


def first(): ...
def second(): ...


def test_a_name_taken_twice_is_refused_and_leaves_no_trace():
    registry = Registry[object](__name__, one="way", none="no way", fold=str.lower)
    registry.put("Left", first, alias="L")
    message = rf"^register: each way needs .*; 'left' is already {__name__}\.first; got .*\.second"
    with pytest.raises(ValueError, match=message):
        registry.put("left", second)
    for taken in ("l", "LEFT"):
        with pytest.raises(ValueError, match=rf"{taken!r} is already"):
            registry.put("right", second, alias=taken)
    assert "right" not in registry
    registry.put("Left", first, alias="L")  # a module that is loaded again
    assert registry.find("l") is registry.find("LEFT") is first


def test_a_copy_is_for_trials():
    registry = Registry[object]("bioimage_tasks.datasets.annotations", one="way", none="no way")
    trial = registry.copy()
    trial.put("left", first)
    assert "left" in trial
    assert "left" not in registry
    assert trial.names() == ("left",)


@pytest.mark.parametrize(
    "planted",
    [
        lambda image, level=3: image,
        lambda image, *, level: image,
        lambda image, *, level=3: image,
        lambda image, **rest: image,
        lambda image, *rest: image,
    ],
)
def test_a_setting_that_a_sweep_cannot_name_is_refused(planted):
    message = r"^register: parameters of 'p' after 'image' must be keyword-only, typed and have"
    with pytest.raises(ValueError, match=message):
        check_signature("p", planted, leading=1)


def test_a_function_that_takes_too_little_is_refused():
    for planted in (lambda: 0, lambda *images: 0, lambda *, image: 0):
        with pytest.raises(ValueError, match=r"^register: 'p' must take 1 by position .*got \("):
            check_signature("p", planted, leading=1)
    with pytest.raises(ValueError, match="'p' must take 2 by position"):
        check_signature("p", lambda image: 0, leading=2)


def test_settings_and_their_defaults():
    def fine(image, labels, *, level: int = 3, way: str = "up"): ...

    check_signature("fine", fine, leading=2)
    assert defaults(fine, leading=2) == {"level": 3, "way": "up"}
    with pytest.raises(ValueError, match=r"after 'image' and 'labels' must .*; got 'level'"):
        check_signature("p", lambda image, labels, level: image, leading=2)


# -- one file is enough, in every room ---------------------------------------------

STRANGERS = {
    "segmentation": """
import numpy as np
from bioimage_tasks.segmentation.registry import register


@register("stranger")
def stranger(image, *, level: float = 1.0):
    return (np.asarray(image) > level).astype(np.int32)
""",
    "datasets.annotations": """
from bioimage_tasks.datasets.annotations.registry import register


@register("stranger")
def stranger(source, *, times: int = 1):
    return [[0, 3 * times]]
""",
    "features": """
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable


@register("stranger")
def stranger(image, labels, *, times: int = 2):
    return FeatureTable.of({"sum": ("grey", [image.sum() * times])})
""",
    "datasets": """
from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.collection import ImageCollection
from bioimage_tasks.datasets.registry import register


@register
class Stranger(ImageCollection):
    name, acronym, licence, citation, layout = "stranger", "STR1", "ours", "ours", "*.png"

    def list_images(self, root, part):
        return [ImageRef(str(path)) for path in sorted(root.glob("*.png"))]
""",
}


def uses(room, tmp_path):
    """Return what a stranger's file gives through the room's public functions."""
    if room == "segmentation":
        from bioimage_tasks import segmentation

        assert segmentation.parameters("stranger") == {"level": 1.0}
        return segmentation.segment([[0, 9]], "stranger", level=2).tolist() == [[0, 1]]
    if room == "datasets.annotations":
        from bioimage_tasks.datasets import annotations

        assert "stranger" in annotations.kinds()
        source = annotations.Source(("a.png",))
        return annotations.decode(source, "stranger", times=5).tolist() == [[0, 1]]
    if room == "features":
        from bioimage_tasks import features

        table = features.compute([[1, 2]], None, ("stranger",), times=3)
        return table.column("stranger_sum").tolist() == [9.0]
    from bioimage_tasks import datasets

    (tmp_path / "a.png").write_bytes(b"")
    found = datasets.get("str1")(tmp_path).images()
    assert "STR1" not in datasets.names()
    return [image.path for image in found] == [str(tmp_path / "a.png")]


@pytest.mark.parametrize("room", sorted(STRANGERS))
def test_a_stranger_adds_one_file(room, tmp_path, monkeypatch):
    package = importlib.import_module(f"bioimage_tasks.{room}")
    registry = importlib.import_module(f"bioimage_tasks.{room}.registry")
    registry._registered.names()  # the room's own files go into the lasting registry
    monkeypatch.setattr(registry, "_registered", registry._registered.copy())
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "more")])
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a_strangers_file.py").write_text(STRANGERS[room])
    try:
        assert uses(room, tmp_path)
    finally:
        sys.modules.pop(f"bioimage_tasks.{room}.a_strangers_file", None)
