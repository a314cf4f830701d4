"""Downloads from a server of our own: right, wrong, broken off, unknown, dangerous archives."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import zipfile

import pytest

from bioimage_tasks.datasets.archives import unpack
from bioimage_tasks.datasets.fetch import DOWNLOADS, fetch
from bioimage_tasks.datasets.remote import Remote

JUNK = {"__MACOSX/images/._a.txt": b"fork", "images/.DS_Store": b"mac", "images/Thumbs.db": b"w"}


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def taped(files, mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


GOOD = zipped({"images/a.txt": b"first", "images/b.txt": b"second", "images/": b"", **JUNK})


def test_an_archive_is_fetched_verified_and_unpacked(server, tmp_path):
    remote = server.remote("set.zip", GOOD, checksum=f"sha256:{sha(GOOD)}")
    heard = []
    (done,) = fetch([remote], tmp_path / "root", tell=lambda *news: heard.append(news))
    assert (done.name, done.sha256, done.verified, done.files) == ("set.zip", sha(GOOD), True, 2)
    assert listing(tmp_path / "root") == ["images/a.txt", "images/b.txt"]
    assert (tmp_path / "root" / "images" / "b.txt").read_bytes() == b"second"
    assert heard[-1] == ("set.zip", len(GOOD), len(GOOD))
    assert not (tmp_path / "root" / DOWNLOADS).exists()


def test_a_file_of_unknown_checksum_is_fetched_and_its_sha256_told(server, tmp_path):
    table = b"a,b\n1,2\n"
    remote = server.remote("counts%20v1.csv", table, into="tables")
    server.files["counts v1.csv"] = table
    (done,) = fetch([remote], tmp_path)
    assert (done.name, done.sha256, done.verified) == ("counts v1.csv", sha(table), False)
    assert listing(tmp_path) == ["tables/counts v1.csv"]


def test_md5_is_taken_where_that_is_what_was_published(server, tmp_path):
    digest = hashlib.md5(GOOD, usedforsecurity=False).hexdigest()
    (done,) = fetch([server.remote("set.zip", GOOD, checksum=f"md5:{digest}")], tmp_path)
    assert (done.verified, done.sha256) == (True, sha(GOOD))


@pytest.mark.parametrize("pinned", [False, True])
def test_a_wrong_checksum_leaves_nothing(server, tmp_path, pinned):
    wrong = sha(b"something else")
    remote = server.remote("set.zip", GOOD, checksum="" if pinned else f"sha256:{wrong}")
    rule = rf"fetch: the file must have the checksum sha256:{wrong}; .*; got {sha(GOOD)} from http"
    with pytest.raises(ValueError, match=rule):
        fetch([remote], tmp_path / "root", checksums={"set.zip": wrong} if pinned else None)
    assert not (tmp_path / "root").exists()


def test_a_pin_that_is_right_verifies(server, tmp_path):
    remote = server.remote("set.zip", GOOD)
    (done,) = fetch([remote], tmp_path, checksums={"set.zip": sha(GOOD).upper()})
    assert done.verified


@pytest.mark.parametrize(
    ("pins", "message"),
    [
        ({"other.zip": "0" * 64}, r"which has set\.zip; got one for 'other\.zip'"),
        ({"set.zip": "abc"}, r"64 hexadecimal digits; got 'abc' for set\.zip"),
    ],
)
def test_pins_that_cannot_be(server, tmp_path, pins, message):
    with pytest.raises(ValueError, match=message):
        fetch([server.remote("set.zip", GOOD)], tmp_path, checksums=pins)
    assert server.asked == []


def test_a_download_that_breaks_off_leaves_nothing_and_can_be_tried_again(server, tmp_path):
    first = server.remote("first.zip", GOOD)
    second = server.remote("second.zip", zipped({"c.txt": b"c" * 100_000}))
    server.breaks.add("second.zip")
    with pytest.raises(OSError, match=r"send the whole file; try again.*second\.zip"):
        fetch([first, second], tmp_path, keep=True)
    assert listing(tmp_path) == [f"{DOWNLOADS}/first.zip", "images/a.txt", "images/b.txt"]
    server.breaks.clear()
    fetch([first, second], tmp_path, keep=True)
    assert server.asked == ["first.zip", "second.zip", "second.zip"]
    assert "c.txt" in listing(tmp_path)


def test_what_was_unpacked_is_not_fetched_again(server, tmp_path):
    """Its archive is gone by then; a note says so until all is there, and no longer."""
    first = server.remote("first.zip", GOOD)
    second = server.remote("second.zip", zipped({"c.txt": b"c" * 100_000}))
    server.breaks.add("second.zip")
    for _attempt in range(2):
        with pytest.raises(OSError, match=r"try again.*second\.zip"):
            fetch([first, second], tmp_path)
    assert server.asked == ["first.zip", "second.zip", "second.zip"]
    assert listing(tmp_path) == [f"{DOWNLOADS}/first.zip.done", "images/a.txt", "images/b.txt"]
    server.breaks.clear()
    done = fetch([first, second], tmp_path, checksums={"first.zip": sha(GOOD)})
    assert server.asked[3:] == ["second.zip"]
    assert (done[0].sha256, done[0].verified, done[0].files) == (sha(GOOD), True, 2)
    assert listing(tmp_path) == ["c.txt", "images/a.txt", "images/b.txt"]
    assert not (tmp_path / DOWNLOADS).exists()


@pytest.mark.parametrize("planted", ["file gone", "other pin", "other address", "torn note"])
def test_a_note_that_does_not_hold_is_no_note(server, tmp_path, planted):
    first = server.remote("first.zip", GOOD)
    nothing = Remote(first.url.replace("first", "none"))
    with pytest.raises(OSError, match="404"):
        fetch([first, nothing], tmp_path)
    note = tmp_path / DOWNLOADS / "first.zip.done"
    assert note.is_file()
    pins = {}
    if planted == "file gone":
        (tmp_path / "images" / "b.txt").unlink()
    elif planted == "torn note":
        note.write_bytes(note.read_bytes()[:30])
    elif planted == "other address":
        first = Remote(f"{first.url}?v=2")
    else:
        pins = {"first.zip": sha(b"another")}
        with pytest.raises(ValueError, match="must have the checksum"):
            fetch([first], tmp_path, checksums=pins)
        return
    fetch([first], tmp_path, checksums=pins)
    assert server.asked == ["first.zip", "none.zip", "first.zip"]
    assert listing(tmp_path) == ["images/a.txt", "images/b.txt"]


def test_a_damaged_archive_of_unknown_checksum_is_not_kept_for_the_next_try(server, tmp_path):
    remote = server.remote("set.zip", GOOD[:-30])
    with pytest.raises(ValueError, match="must be whole and not encrypted"):
        fetch([remote], tmp_path, keep=True)
    assert listing(tmp_path) == []
    server.remote("set.zip", GOOD)
    assert fetch([remote], tmp_path)[0].files == 2


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="fetch: the collection's folder must be one that can be w"):
        fetch([server.remote("set.zip", GOOD)], tmp_path / "file" / "root")


def test_a_server_that_refuses_or_is_not_there(server, tmp_path):
    missing = Remote(server.remote("set.zip", GOOD).url.replace("set", "none"))
    with pytest.raises(OSError, match=r"the server must answer.*404"):
        fetch([missing], tmp_path / "root")
    nobody = Remote("http://127.0.0.1:9/set.zip")
    with pytest.raises(OSError, match="the server must answer"):
        fetch([nobody], tmp_path / "root")
    assert listing(tmp_path) == []


def test_tapes_are_unpacked_and_leading_folders_cut(server, tmp_path):
    data = taped({"repo-abc/data/x.txt": b"x", "repo-abc/README": b"r", "top": b"t"})
    remote = server.remote("repo.tgz", data, strip=1, into="inner")
    (done,) = fetch([remote], tmp_path)
    assert done.files == 2
    assert listing(tmp_path) == ["inner/README", "inner/data/x.txt"]


# -- archives ------------------------------------------------------------------------------
def linked_zip():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def linked_tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("up.zip", zipped({"fine.txt": b"1", "../evil.txt": b"2"})),
        ("deep.zip", zipped({"a/../../evil.txt": b"2"})),
        ("absolute.zip", zipped({"/tmp/evil.txt": b"2"})),
        ("windows.zip", zipped({"..\\evil.txt": b"2"})),
        ("drive.zip", zipped({"C:\\evil.txt": b"2"})),
        ("link.zip", linked_zip()),
        ("up.tgz", taped({"fine.txt": b"1", "../evil.txt": b"2"})),
        ("absolute.tar.gz", taped({"/tmp/evil.txt": b"2"})),
        ("link.tgz", linked_tar()),
    ],
)
def test_dangerous_names_are_refused_before_anything_is_written(tmp_path, name, data):
    archive = tmp_path / name
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=r"unpack: names in an archive must be plain files"):
        unpack(archive, tmp_path / "in" / "root")
    assert listing(tmp_path) == [name]


def test_a_damaged_archive_is_named_and_leaves_nothing(tmp_path):
    whole = zipped({"a.txt": bytes(range(256)) * 40})
    damaged = bytearray(whole)
    damaged[60] ^= 0xFF
    for name, data in (("bad.zip", bytes(damaged)), ("cut.zip", whole[:-30]), ("no.tgz", b"no")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=rf"must be whole and not encrypted; .* got .*{name}"):
            unpack(tmp_path / name, tmp_path / "root")
    assert not (tmp_path / "root").exists() or listing(tmp_path / "root") == []


def test_unpacking_again_replaces_files_and_keeps_others(tmp_path):
    archive = tmp_path / "set.zip"
    archive.write_bytes(GOOD)
    (tmp_path / "root" / "images").mkdir(parents=True)
    (tmp_path / "root" / "images" / "a.txt").write_text("old")
    (tmp_path / "root" / "images" / "mine.txt").write_text("mine")
    assert unpack(archive, tmp_path / "root") == 2
    assert listing(tmp_path / "root") == ["images/a.txt", "images/b.txt", "images/mine.txt"]
    assert (tmp_path / "root" / "images" / "a.txt").read_text() == "first"


def test_an_encrypted_archive_is_refused(tmp_path):
    data = bytearray(zipped({"a.txt": b"a"}))
    for at in (data.find(b"PK\x01\x02") + 8, 6):
        data[at] |= 1  # the flag of a member that needs a password
    (tmp_path / "locked.zip").write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"not encrypted.*locked\.zip"):
        unpack(tmp_path / "locked.zip", tmp_path / "root")
