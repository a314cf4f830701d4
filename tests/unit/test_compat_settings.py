"""jug's configuration files and exit variables, read as jug reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskgraph.compat.exit_variables import STOP_FILE, read_exit_variables
from taskgraph.compat.jugrc import config_files, read_jugrc
from taskgraph.errors import ConfigError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_nearest_file_wins_up_to_the_git_root(tmp_path: Path) -> None:
    home = tmp_path / "home"
    root = tmp_path / "up/project"
    (root / ".git").mkdir(parents=True)
    far = write(tmp_path / "up/.jugrc", "[main]\nshort=yes\n")
    near = write(root / "deep/.jugrc", "[main]\njugdir=near\n[execute]\nkeep_going=on\n")
    above = write(root / "jugrc", "[main]\njugdir=above\nverbose=info\n")
    user = write(home / ".config/jugrc", "[main]\nverbose=quiet\n[execute]\nwait-cycle-time=3\n")
    write(home / ".jug/configrc", "[main]\npdb=yes\n")
    assert config_files(root / "deep", home) == [near, above, user]
    options, unknown = read_jugrc(root / "deep", home)
    assert options == {
        "jugdir": "near", "verbose": "info",
        "execute_keep_going": True, "execute_wait_cycle_time": 3.0,
    }  # fmt: skip
    assert unknown == []
    assert far.exists()


def test_without_a_repository_only_this_folder_counts(tmp_path: Path) -> None:
    write(tmp_path / ".jugrc", "[main]\nshort=no\n")
    (tmp_path / "deep").mkdir()
    assert read_jugrc(tmp_path / "deep", tmp_path / "home") == ({}, [])
    assert read_jugrc(tmp_path, tmp_path / "home") == ({"short": False}, [])


def test_unknown_keys_are_named_with_their_file(tmp_path: Path) -> None:
    path = write(tmp_path / "jugrc", "[main]\njugdri=x\n[execute]\npdb=1\n[other]\na=b\n")
    options, unknown = read_jugrc(tmp_path, tmp_path / "home")
    assert options == {}
    assert unknown == [f"{path}: [main] jugdri", f"{path}: [execute] pdb", f"{path}: [other] a"]


@pytest.mark.parametrize("text", ["jugdir=x\n", "[main\n", "[execute]\nnr-wait-cycles=many\n"])
def test_a_file_that_means_nothing_is_one_clear_error(tmp_path: Path, text: str) -> None:
    write(tmp_path / ".jugrc", text)
    with pytest.raises(ConfigError, match="jugrc"):
        read_jugrc(tmp_path, tmp_path / "home")


def test_exit_variables_are_added_up() -> None:
    given = {"JUG_MAX_HOURS": "1", "JUG_MAX_MINUTES": "2", "JUG_MAX_SECONDS": "3"}
    limits = read_exit_variables(given | {"JUG_MAX_TASKS": "9"}, Path("here"))
    assert limits.max_seconds == 3723
    assert limits.max_tasks == 9
    assert limits.stop_files == (Path("here") / STOP_FILE,)


def test_without_variables_the_stop_file_is_watched_alone() -> None:
    limits = read_exit_variables({"JUG_EXIT_IF_FILE_EXISTS": "stop"}, Path())
    assert limits.max_tasks is None
    assert limits.max_seconds is None
    assert limits.stop_files == (Path(STOP_FILE), Path("stop"))


def test_a_number_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigError, match="JUG_MAX_TASKS must be a whole number"):
        read_exit_variables({"JUG_MAX_TASKS": "ten"}, Path())
