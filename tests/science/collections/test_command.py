"""``taskgraph datasets``: what it says, as text and as JSON, and its exit statuses."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bioimage_tasks import datasets
from bioimage_tasks.commands.datasets import _Meter, command
from bioimage_tasks.datasets.remote import Remote
from taskgraph.cli import main


def ran(*words):
    return CliRunner().invoke(command, list(words))


def said(*words):
    """Return the exit status and the JSON object."""
    done = ran(*words, "--json")
    facts = json.loads(done.stdout)
    assert facts["exit_code"] == done.exit_code
    return done.exit_code, facts


def test_the_list_has_every_collection():
    lines = ran().stdout.splitlines()
    assert ran("list").stdout == ran().stdout
    assert said("list") == said()
    assert [line.split()[0] for line in lines[1:]] == list(datasets.names())
    assert max(map(len, lines)) < 140
    code, facts = said()
    assert code == 0
    assert [one["name"] for one in facts["datasets"]] == list(datasets.names())
    assert all(one["licence"] and one["citation"] and one["layout"] for one in facts["datasets"])


def test_show_tells_source_tree_and_quirks():
    text = ran("show", "BBBC020").stdout
    for part in ("doi:10.1038/nmeth.2083", "BBC020_v1_outlines", "jw-15min 5_c5_43", "https://"):
        assert part in text
    _code, facts = said("show", "bbbc039")
    assert facts["parts"] == ["training", "test"]
    assert facts["remotes"][0]["checksum"].startswith("sha256:6f30a5d4")


def test_check_says_what_is_there_and_what_is_missing(trees, draw, tmp_path):
    trees["bbbc039"](tmp_path, draw)
    done = ran("check", "bbbc039", str(tmp_path))
    assert (done.exit_code, done.stdout) == (0, "all is there: 4 images without groups\n")
    (tmp_path / "masks" / next(p.name for p in (tmp_path / "masks").glob("*C09*"))).unlink()
    done = ran("check", "BBBC039", str(tmp_path))
    assert done.exit_code == 1
    assert "C09_s9" in done.stdout
    assert "expected: images/<name>.tif" in done.stdout
    assert ran("check", "bbbc039", str(tmp_path), "--part", "training").exit_code == 0
    code, facts = said("check", "bbbc039", str(tmp_path / "nowhere"))
    assert (code, facts["images"]) == (1, 0)
    assert "There is no folder" in facts["missing"][0]


def test_check_of_a_wrong_root_says_what_it_is_and_where_to_look(trees, draw, tmp_path):
    trees["nuclei-u2os-hand"](tmp_path / "data" / "u2os", draw)
    root = tmp_path / "data" / "u2os"
    for wrong in (tmp_path / "data", root / "images"):
        done = ran("check", "nuclei-u2os-hand", str(wrong))
        assert done.exit_code == 1
        lines = done.stdout.splitlines()
        assert lines[0] == f"{wrong} has nothing that matches images/*.png."
        assert lines[2] == f"But {root} has all of it: is that the folder?"
    far = ran("check", "nuclei-u2os-hand", str(tmp_path))
    assert "is that the folder" not in far.stdout
    file = next((root / "images").iterdir())
    assert f"{file} is a file, not a folder." in ran("check", "tnbc", str(file)).stdout


def test_check_of_ones_own_folder_pairs_images_with_labels(draw, tmp_path):
    for name in "ab":
        draw.save(tmp_path / "images" / f"{name}.png", draw.labels().astype("uint8"))
        draw.save(tmp_path / "labels" / f"{name}.png", draw.labels().astype("uint8"))
    done = ran("check", "folder", str(tmp_path))
    assert (done.exit_code, done.stdout) == (0, "all is there: 2 images without groups\n")
    (tmp_path / "labels" / "b.png").unlink()
    done = ran("check", "folder", str(tmp_path))
    assert done.exit_code == 1
    assert "b.png has no labels" in done.stdout
    (tmp_path / "images" / "a.png").unlink()
    done = ran("check", "folder", str(tmp_path / "images"))
    assert done.stdout == "all is there: 1 image without groups, none with labels\n"


def test_check_counts_groups(trees, draw, tmp_path):
    trees["tnbc"](tmp_path, draw)
    assert ran("check", "tnbc", str(tmp_path)).stdout == "all is there: 4 images in 2 groups\n"
    assert said("check", "tnbc", str(tmp_path))[1]["groups"] == ["01", "02"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check", "bbbc999", "."), "no collection has this name"),
        (("show", "nothing"), "no collection has this name"),
        (("show", "BBC39"), "did you mean bbbc039"),
        (("check", "zzzzz", "."), "name: 'zzzzz'; `taskgraph datasets` lists them"),
        (("fetch", "folder", "."), "it is for images of your own"),
        (("fetch", "tnbc", __file__), "ROOT must be a folder, new or there already"),
        (("fetch", "ucsb", "."), "ucsb has no stable public address; get it from https://"),
        (("fetch", "bbbc039", ".", "--only", "x*"), "--only must match one of images.zip"),
        (("fetch", "bbbc039", ".", "--sha256", "0" * 64), "needs FILE=HEX where there are several"),
        (("fetch", "tnbc", ".", "--sha256", "abc"), "64 hexadecimal digits"),
        (("fetch", "tnbc", ".", "--sha256", f"x.zip={'0' * 64}"), "got one for 'x.zip'"),
        (("fetch",), "Missing argument"),
    ],
)
def test_what_cannot_mean_anything_ends_with_2(words, message):
    done = ran(*words)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


# -- fetch -----------------------------------------------------------------------------------
@pytest.fixture
def served(server, zipped, monkeypatch):
    """bbbc009, served from here: one archive of known checksum, one of unknown."""
    images = zipped({"human_rbc_dic_images/a.tif": b"1"})
    lines = zipped({"human_rbc_dic_outlines/a.tif": b"2"})
    known = f"sha256:{hashlib.sha256(images).hexdigest()}"
    remotes = (
        server.remote("images.zip", images, checksum=known),
        server.remote("outlines.zip", lines),
    )
    monkeypatch.setattr(datasets.get("bbbc009"), "remotes", remotes)
    return hashlib.sha256(lines).hexdigest()


def test_fetch_verifies_or_tells_what_to_pin(served, tmp_path):
    done = ran("fetch", "bbbc009", str(tmp_path))
    assert done.exit_code == 0
    assert "verified" in done.stdout.splitlines()[0]
    assert f"sha256 {served}, no checksum was known" in done.stdout.splitlines()[1]
    assert "doi:10.1038/nmeth.2083" in done.stderr
    assert ran("check", "bbbc009", str(tmp_path)).exit_code == 0
    code, facts = said("fetch", "bbbc009", str(tmp_path), "--sha256", f"outlines.zip={served}")
    assert (code, [one["verified"] for one in facts["files"]]) == (0, [True, True])


def test_fetch_takes_what_is_asked_for(served, server, tmp_path):
    done = ran("fetch", "bbbc009", str(tmp_path), "--only", "out*", "--keep")
    assert done.exit_code == 0
    assert server.asked == ["outlines.zip"]
    assert (tmp_path / ".downloads" / "outlines.zip").is_file()
    assert (
        ran("fetch", "bbbc009", str(tmp_path), "--only", "out*", "--sha256", served).exit_code == 0
    )


def test_a_wrong_checksum_and_a_broken_download_end_with_1(served, server, tmp_path):
    done = ran("fetch", "bbbc009", str(tmp_path), "--sha256", f"images.zip={'0' * 64}")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "must have the checksum sha256:000" in done.stderr
    server.breaks.add("images.zip")
    done = ran("fetch", "bbbc009", str(tmp_path))
    assert done.exit_code == 1
    assert "try again" in done.stderr


def test_fetch_without_its_packages_says_what_to_install(served, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    done = ran("fetch", "bbbc009", str(tmp_path))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "pip install 'bioimage-taskgraph[bioimage]'" in done.stderr


PATCHED = """
import sys
from bioimage_tasks import datasets
from bioimage_tasks.datasets.remote import Remote
from taskgraph.cli import main
datasets.get("bbbc009").remotes = tuple(map(Remote, sys.argv[2:]))
sys.exit(main(["datasets", "fetch", "bbbc009", sys.argv[1]]))
"""


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [(signal.SIGINT, 130, "taskgraph: interrupted"), (signal.SIGTERM, 143, "")],
)
def test_an_interrupted_fetch_leaves_no_half_file(served, server, tmp_path, number, code, told):
    """The first file is whole and stays; of the second, half has come when the signal does."""
    server.holds.add("outlines.zip")
    remotes = [one.url for one in datasets.get("bbbc009").remotes]
    root, tree = tmp_path / "root", Path(__file__).resolve().parents[3]
    program = [sys.executable, "-c", PATCHED, str(root), *remotes]
    env = {**os.environ, "PYTHONPATH": str(tree)}
    with subprocess.Popen(program, env=env, stderr=subprocess.PIPE, text=True) as running:
        assert server.halfway.wait(60)
        running.send_signal(number)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    assert told in stderr
    assert "Traceback" not in stderr
    left = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    assert left == [".downloads/images.zip.done", "human_rbc_dic_images/a.tif"]
    server.holds.clear()
    server.go.set()
    assert ran("fetch", "bbbc009", str(root)).exit_code == 0
    assert server.asked == ["images.zip", "outlines.zip", "outlines.zip"]
    assert not (root / ".downloads").exists()


def test_fetch_takes_the_usable_part_of_a_large_set_by_default(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        "bioimage_tasks.datasets.fetch.fetch",
        lambda remotes, root, **_: asked.append([one.name for one in remotes]) or [],
    )
    for words in ((), ("--only", "BBBC021_v1_images_Week10*"), ("--only", "*")):
        assert ran("fetch", "bbbc021", str(tmp_path), *words).exit_code == 0
    assert [len(names) for names in asked] == [3, 3, 57]
    assert "BBBC021_v1_images_Week1_22123.zip" in asked[0]


def test_the_meter_shows_percents_or_megabytes(capsys):
    meter = _Meter()
    for done in (1, 2, 50, 100):
        meter("a.zip", done, 100)
        meter("a.zip", done, 100)
    for done in (1, 2, 3 << 20):
        meter("b.zip", done, 0)
    told = capsys.readouterr().err
    assert told.count("a.zip") == 4
    assert "a.zip: 100 % of 0.0 MB  \n" in told
    assert told.count("b.zip") == 2
    assert "3.1 MB" in told
    for _twice in range(2):
        meter.close()
    assert capsys.readouterr().err == "\n"


# -- the program -------------------------------------------------------------------------------
def test_it_is_a_command_of_the_program(tmp_path, monkeypatch, capsys):
    info = tmp_path / "bioimage_taskgraph_tasks-1.dist-info"
    info.mkdir()
    point = "datasets = bioimage_tasks.commands.datasets:command"
    (info / "entry_points.txt").write_text(f"[taskgraph.commands]\n{point}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["--help"]) == 0
    assert "datasets" in capsys.readouterr().out
    assert main(["datasets", "show", "tnbc"]) == 0
    assert "zenodo" in capsys.readouterr().out
    assert main(["datasets", "check", "tnbc", str(tmp_path)]) == 1
    assert main(["datasets", "check", "no-such", str(tmp_path)]) == 2
    assert "no collection has this name" in capsys.readouterr().err


def test_listing_loads_nothing_heavy():
    code = (
        "import sys\nfrom bioimage_tasks.commands.datasets import command\n"
        "command([], standalone_mode=False)\n"
        "heavy = {'torch', 'sklearn', 'skimage', 'scipy', 'mahotas', 'PIL', 'pooch', 'requests',"
        " 'pandas', 'tifffile', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stderr.strip() == "[]"


def test_addresses_have_names_and_checksums_that_can_be():
    for name in datasets.names():
        for one in getattr(datasets.get(name), "remotes", ()):
            assert one.url.startswith(("https://", "http://andrewjanowczyk.com"))
            kind, _, digest = one.checksum.partition(":")
            lengths = {"": 0, "sha256": 64, "md5": 32}
            assert len(digest) == lengths[kind], one
    assert Remote("https://a.org/b%20c.zip?download=1").name == "b c.zip"
