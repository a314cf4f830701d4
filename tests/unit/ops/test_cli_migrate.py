"""``taskgraph migrate`` through the front door: what it says, refuses and leaves behind."""

from __future__ import annotations

import json

from backends.file_store.store import FileStore
from taskgraph.cli import main
from taskgraph.provenance import identity
from taskgraph.registry import open_store
from taskgraph.testing import make_key, make_record


def fill(path):
    """Found a store with four results."""
    store = open_store(str(path), create=True)
    store.publish("w", [make_record(make_key(number)) for number in range(4)])
    return store


def test_the_command_copies_and_says_what(tmp_path, capsys):
    fill(tmp_path / "s")
    paths = [str(tmp_path / "s"), str(tmp_path / "t")]
    assert main(["migrate", *paths]) == 0
    assert "4 results copied to file:" in capsys.readouterr().out
    assert main(["migrate", *paths, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["already"], told["verified"], told["exit_code"]) == (4, 4, 0)


def test_the_command_refuses_before_it_makes_anything(tmp_path, capsys):
    fill(tmp_path / "s").enter(identity())
    source, target = str(tmp_path / "s"), tmp_path / "t"
    assert main(["migrate", source, str(target)]) == 2
    assert "stop its workers" in capsys.readouterr().err
    assert not target.exists()
    assert main(["migrate", source, "memory:"]) == 2
    assert main(["migrate", str(tmp_path / "none"), str(target)]) == 4
    assert main(["migrate", source, str(target), "--live"]) == 0


def test_ctrl_c_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    fill(tmp_path / "s")

    def interrupted(*args):
        raise KeyboardInterrupt

    paths = [str(tmp_path / "s"), str(tmp_path / "t")]
    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "list_documents", interrupted)
        assert main(["migrate", *paths]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert open_store(paths[1]).workers() == []
    assert main(["migrate", *paths]) == 0
    assert "4 were there already" in capsys.readouterr().out
