"""Tiny trees in the exact layout of each collection, built in ``tmp_path``.

``trees_*.py`` beside this file each hold ``TREES``: the name of a collection -> a function
``(root, draw)`` that builds its tree and says what is to be found in it.
"""

from __future__ import annotations

import contextlib
import io
import runpy
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from bioimage_tasks.datasets.remote import Remote

HERE = Path(__file__).parent
SHAPE = (24, 32)


@dataclass
class Tree:
    """What is to be found in a tree that was built.

    ``objects``: of each image with the default annotation, ``None`` where it has none.
    ``gone`` and ``told``: a file without which something is missing, and the words for it.
    ``options``: of the collection, where its defaults would not show this tree.
    """

    names: list[str]
    groups: list[str]
    objects: list[int | None]
    gone: str
    told: str
    shape: tuple[int, ...] = SHAPE
    dtype: str = "uint8"
    channels: tuple[str, ...] = ()
    info: dict[str, object] = field(default_factory=dict)
    parts: dict[str, list[str]] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)


class Draw:
    """Images and annotations with a known number of objects, written as a collection does."""

    Tree = Tree

    def labels(self, count=3, shape=SHAPE, size=5):
        """Squares in rows; each is ``size`` wide and stands alone."""
        found = np.zeros(shape, np.int32)
        columns = (shape[1] - 2) // (size + 3)
        for number in range(count):
            y, x = 2 + (number // columns) * (size + 3), 2 + (number % columns) * (size + 3)
            assert y + size < shape[0]
            found[y : y + size, x : x + size] = number + 1
        return found

    def grey(self, labels, dtype="uint8", high=200):
        noise = np.random.default_rng(int(labels.max())).integers(0, 9, labels.shape)
        return (noise + np.where(labels > 0, high, 10)).astype(dtype)

    def colour(self, labels, channels=3):
        """An H&E-like image, or with four channels an opaque RGBA one."""
        grey = self.grey(labels)
        rgb = np.stack([grey // 2 + 40, grey // 3, grey // 2 + 90], axis=-1).astype(np.uint8)
        if channels == 3:
            return rgb
        return np.concatenate([rgb, np.full((*grey.shape, 1), 255, np.uint8)], axis=-1)

    def same(self, grey, channels=3):
        """Equal channels, the last of four opaque."""
        stack = np.repeat(grey[..., None], channels, axis=-1)
        if channels == 4:
            stack[..., 3] = 255
        return stack

    def outline(self, labels):
        """The outermost pixels of each object."""
        padded = np.pad(labels, 1, mode="edge")
        inner = np.ones(labels.shape, bool)
        for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
            other = padded[dy : dy + labels.shape[0], dx : dx + labels.shape[1]]
            inner &= other == labels
        return (labels > 0) & ~inner

    def save(self, path, array):
        """Write by suffix, in any case of letters."""
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix.lower()
        if suffix in (".tif", ".tiff"):
            import tifffile

            rgb = array.ndim == 3 and array.shape[-1] in (3, 4)
            tifffile.imwrite(path, array, photometric="rgb" if rgb else "minisblack")
            return
        from PIL import Image

        kind = {".dib": "DIB", ".bmp": "BMP", ".jpg": "JPEG", ".jpeg": "JPEG"}.get(suffix, "PNG")
        Image.fromarray(array).save(path, kind)

    def text(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def builders():
    """Return every tree's builder by the name of its collection."""
    found = {}
    for path in sorted(HERE.glob("trees_*.py")):
        new = runpy.run_path(str(path))["TREES"]
        assert not set(new) & set(found), f"two trees of one name in {path}"
        found |= new
    return found


@pytest.fixture(scope="session")
def trees():
    return builders()


@pytest.fixture
def draw():
    return Draw()


class Server:
    """Serves what it is given, counts requests, can break off or wait in the middle.

    ``holds``: files of which the second half comes when ``go`` is set; ``halfway`` is set
    when the first half is out.
    """

    def __init__(self):
        self.files = {}
        self.asked = []
        self.breaks = set()
        self.holds = set()
        self.halfway, self.go = threading.Event(), threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.partition("?")[0].lstrip("/")
                outer.asked.append(name)
                if name not in outer.files:
                    self.send_error(404)
                    return
                data = outer.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                middle = len(data) // 2 if name in outer.breaks | outer.holds else len(data)
                self.wfile.write(data[:middle])
                if name in outer.holds:
                    self.wfile.flush()
                    outer.halfway.set()
                    outer.go.wait(60)
                    with contextlib.suppress(OSError):  # nobody waits for it any more
                        self.wfile.write(data[middle:])

            def log_message(self, *_):
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def remote(self, name, data, **more):
        self.files[name] = data
        return Remote(f"http://127.0.0.1:{self.http.server_port}/{name}", **more)

    def close(self):
        self.go.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    one = Server()
    yield one
    one.close()


@pytest.fixture
def zipped():
    """Make the bytes of a zip archive from names and contents."""

    def make(files):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return out.getvalue()

    return make
