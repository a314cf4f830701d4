"""Files as arguments: content is identity, digests are remembered, changes are noticed."""

from __future__ import annotations

import os
import pickle
from hashlib import sha256

import pytest

from taskgraph.errors import HashError, UsageError
from taskgraph.hashing import File, Walk, check_files, digest_files, digests, encode, verify
from taskgraph.hashing.digests import MemoryCache, set_digest_cache

HOUR = 3600 * 10**9


class Noting(MemoryCache):
    """A cache that counts what it gives and takes."""

    def __init__(self):
        super().__init__()
        self.given, self.taken = 0, 0

    def get(self, *place):
        found = super().get(*place)
        self.given += found is not None
        return found

    def put(self, *place):
        self.taken += 1
        super().put(*place)


@pytest.fixture
def cache():
    """A cache whose clock says that all files are an hour old."""
    noting = Noting()
    import time

    set_digest_cache(noting, clock_ns=lambda: time.time_ns() + HOUR)
    yield noting
    set_digest_cache(None)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "slide.tif"
    file.write_bytes(b"pixels")
    return file


def test_the_content_counts_and_the_name_does_not(path, cache):
    raw = encode(File(path))
    moved = path.rename(path.with_name("other.tif"))
    assert encode(File(moved)) == raw
    moved.write_bytes(b"PIXELS")
    assert encode(File(moved)) != raw
    assert sha256(b"pixels").digest() in raw


def test_by_stat_nothing_is_read(path, cache):
    os.utime(path, ns=(1, 5))
    raw = encode(File(path, by="stat"))
    path.chmod(0o200)
    moved = path.rename(path.with_name("other.tif"))
    assert encode(File(moved, by="stat")) == raw
    os.utime(moved, ns=(1, 6))
    assert encode(File(moved, by="stat")) != raw
    assert cache.taken == 0


def test_a_file_is_a_path(path):
    file = File(path)
    assert os.fspath(file) == str(file) == file.path == str(path)
    assert file.by == "content"
    with open(file, "rb") as opened:  # noqa: PTH123
        assert opened.read() == b"pixels"
    assert repr(File("a", by="stat")) == "File('a', by='stat')"
    assert repr(File(b"a")) == "File('a')"


def test_a_file_is_a_value(path):
    file = File(path)
    assert pickle.loads(pickle.dumps(file)) == file
    assert {file, File(path)} == {file}
    assert file != File(path, by="stat")
    assert file != str(path)
    with pytest.raises(AttributeError, match="never changes"):
        file.path = "x"
    with pytest.raises(AttributeError, match="never changes"):
        del file.path
    with pytest.raises(UsageError, match="by='name'"):
        File(path, by="name")


@pytest.mark.parametrize("by", ["content", "stat"])
def test_a_task_keeps_a_file_pinned_to_what_its_key_names(path, cache, by):
    walk, later = Walk(), Walk()
    (copy,) = walk.take([File(path, by=by)])
    copy.check()
    verify(walk.fragile)
    check_files(walk.fragile)
    copy = pickle.loads(pickle.dumps(copy))
    path.write_bytes(b"other pixels")
    later.take(File(path, by=by))
    verify(later.fragile)
    for look in (copy.check, lambda: verify(walk.fragile), lambda: check_files(walk.fragile)):
        with pytest.raises(HashError, match="must stay as it was"):
            look()
    File(path).check()  # not pinned


def test_a_digest_is_remembered(path, cache):
    encode(File(path))
    encode(File(path))
    assert (cache.taken, cache.given) == (1, 1)
    path.write_bytes(b"pixelz")
    encode(File(path))
    assert (cache.taken, cache.given) == (2, 1)


@pytest.mark.parametrize(("age", "taken"), [(1.9, 0), (2.1, 1), (-5, 0)])
def test_the_digest_of_a_young_file_is_not_remembered(path, age, taken):
    born = max(path.stat().st_mtime_ns, path.stat().st_ctime_ns)
    noting = Noting()
    set_digest_cache(noting, clock_ns=lambda: born + int(age * 1e9))
    try:
        encode(File(path))
    finally:
        set_digest_cache(None)
    assert noting.taken == taken


def test_many_files_in_threads(tmp_path, cache):
    paths = []
    for number in range(20):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(b"%d" % number)
    seen = []
    found = digest_files([*paths, paths[0]], 3, lambda done, total: seen.append((done, total)))
    assert found == {str(path): sha256(path.name.encode()).digest() for path in paths}
    assert seen == [(number + 1, 20) for number in range(20)]
    assert cache.taken == 20
    digest_files(paths)
    assert cache.given == 20


@pytest.mark.parametrize(
    ("name", "text"), [("missing", "must exist and be readable"), (".", "Only a regular file")]
)
def test_what_is_no_file(tmp_path, name, text):
    with pytest.raises(HashError, match=text) as caught:
        encode(File(tmp_path / name))
    assert str(tmp_path) in str(caught.value)


def test_a_file_that_vanishes_before_it_is_read(path, cache, monkeypatch):
    status = path.stat()
    path.unlink()
    monkeypatch.setattr(digests, "status_of", lambda _: status)
    with pytest.raises(HashError, match="must exist"):
        encode(File(path))


def test_a_file_that_changes_while_it_is_read(path, cache, monkeypatch):
    read = digests._read

    def slow(name):
        digest = read(name)
        path.write_bytes(b"more pixels")
        return digest

    monkeypatch.setattr(digests, "_read", slow)
    with pytest.raises(HashError, match="must not change while it is read"):
        encode(File(path))
    assert cache.taken == 0
