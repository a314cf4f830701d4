"""Where a store on a server is: its URL, taken apart strictly.

A URL and the environment flow in, an :class:`Address` flows out, or an error that never
shows a password. Nothing is connected here.

``redis://[user[:password]@]host[:port][/db]?project=NAME``, ``rediss://`` the same over
TLS, ``unix:///path/of.sock?project=NAME&db=0``; and ``redis+file://``, ``rediss+file://``,
``unix+file://`` with ``files=FOLDER`` for large results on a disk that all workers share.

The password is taken from the URL, else from the file that ``password_file=`` names, else
from ``REDIS_PASSWORD``. It is in no text made here: ``shown`` leaves it out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from taskgraph.errors import UsageError

SCHEMES = ("redis", "rediss", "unix", "redis+file", "rediss+file", "unix+file")
PORT = 6379
#: Largest result that is taken in without a shared disk, in bytes, unless ``largest=`` says.
LARGEST = 64 << 20

_PROJECT = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)i?B?", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<=//)([^:/?#]*):(.*)@", re.DOTALL)
_SECRETS = re.compile(r"((?:password|passwd|pass|pw|auth)=)[^&#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is and how it is reached; see the module's text."""

    scheme: str
    project: str
    host: str = ""
    port: int = PORT
    path: str = ""  #: of the unix socket; "" when there is a host
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    password_from: str = ""  #: "url", "file", "environment" or ""
    password_file: str = ""
    files: str = ""  #: folder for large results; "": there is none
    largest: int = LARGEST  #: bytes
    lease: float | None = None  #: seconds, for a store that is made
    ca_certs: str = ""
    certfile: str = ""
    keyfile: str = ""
    check_hostname: bool = True
    cert_reqs: str = "required"

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme.startswith("rediss")

    @property
    def mixed(self) -> bool:
        """Whether large results go to a folder."""
        return self.scheme.endswith("+file")

    @property
    def where(self) -> str:
        """The server in words, for messages."""
        return self.path or f"{self.host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL without the password: what the store is called, and opened again by."""
        user = f"{quote(self.username, safe='')}@" if self.username else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        place = f"{user}{host}:{self.port}/{self.db}"
        if self.path:
            place = f"{user}{quote(self.path)}"
        return f"{self.scheme}://{place}?{urlencode(self._query(), safe='/')}"

    def _query(self) -> list[tuple[str, str]]:
        """Return the options that are not what they would be anyway."""
        usual = Address(self.scheme, self.project)
        query = [("project", self.project)]
        if self.path and self.db:
            query.append(("db", str(self.db)))
        for name in OPTIONS:
            value = getattr(self, name)
            if value != getattr(usual, name):
                query.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
        return query


def parse(url: str, environ: Mapping[str, str]) -> Address:
    """``address = parse("redis://host/0?project=cells", os.environ)``.

    Raises
    ------
    UsageError
        The URL has no project, or anything that can't be meant: an unknown scheme or
        option, one given twice or where it has no place, a bad number or name.
    """
    try:
        return _parse(url, environ)
    except ValueError as error:  # from urlsplit and its port
        _refuse(url, f"is one that can be taken apart ({error})", "Quote odd signs as %XX")


def mask(url: str) -> str:
    """Return a URL as it may be shown: its password is ``***``."""
    return _SECRETS.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))


def _parse(url: str, environ: Mapping[str, str]) -> Address:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        _refuse(url, f"begins with one of {', '.join(s + '://' for s in SCHEMES)}", "Write one")
    if parts.fragment:
        _refuse(url, "has no part after #", "Quote a # as %23")
    # The server first: a password with a raw ? would be taken for an option, and its name told.
    place = {} if scheme.startswith("unix") else _server(url, parts)
    options = _options(url, scheme, parts)
    project = options.pop("project", "")
    if not project:
        _refuse(
            url, "names its project, so that several can share a server",
            "Add ?project=NAME (`taskgraph init --store URL` makes one)",
        )  # fmt: skip
    if not _PROJECT.fullmatch(project):
        _refuse(
            url, "has a project of at most 64 letters, digits, dots, dashes and underscores",
            f"Choose another name than {project!r}",
        )  # fmt: skip
    place = place or _unix(url, parts, options)
    options.pop("db", None)
    values = {name: OPTIONS[name](url, name, text) for name, text in options.items()}
    _needs(url, scheme, values)
    address = Address(scheme, project, **place, **values, username=unquote(parts.username or ""))
    return _with_password(url, address, parts, environ)


def _options(url: str, scheme: str, parts: SplitResult) -> dict[str, str]:
    """Return the options by name; refuse strangers, twins and the misplaced."""
    tls = ("ca_certs", "certfile", "keyfile", "check_hostname", "cert_reqs")
    known = ["project", *(name for name in OPTIONS if name != "files" and name not in tls)]
    known += ["files"] * scheme.endswith("+file") + ["db"] * scheme.startswith("unix")
    known += list(tls) * scheme.startswith("rediss")
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True):
        if name not in known:
            _refuse(
                url, f"has only options that {scheme}:// knows ({', '.join(known)})",
                f"Leave out {name!r}" if name.isidentifier() else "Quote odd signs as %XX",
            )  # fmt: skip
        if name in options:
            _refuse(url, "says a thing once", f"Leave out one {name!r}")
        if not value:
            _refuse(url, "gives each of its options a value", f"Leave out {name!r}, or complete it")
        options[name] = value
    return options


def _server(url: str, parts: SplitResult) -> dict[str, Any]:
    """Return host, port and database."""
    if not parts.hostname:
        _refuse(url, "names the server's host", "Write redis://localhost/0?project=NAME, say")
    port = parts.port or PORT
    return {"host": parts.hostname, "port": port, "db": _db(url, parts.path.removeprefix("/"))}


def _unix(url: str, parts: SplitResult, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the path of the socket, and the database."""
    path = unquote(parts.path)
    if parts.hostname or not path.strip("/"):
        _refuse(
            url, "names a socket by its whole path", "Write unix:///run/redis.sock?project=NAME"
        )
    return {"path": path, "db": _db(url, options.get("db", ""))}


def _db(url: str, text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        _refuse(url, "names the server's database by a number (0 when left out)", "Correct it")
    return int(text or 0)


def _needs(url: str, scheme: str, values: Mapping[str, Any]) -> None:
    if scheme.endswith("+file") and "files" not in values:
        _refuse(
            url, "of a mixed store names the folder for large results",
            "Add &files=/a/folder/that/all/workers/share",
        )  # fmt: skip
    if "keyfile" in values and "certfile" not in values:
        _refuse(url, "with a key has a certificate for it", "Add certfile=FILE")


def _with_password(
    url: str, address: Address, parts: SplitResult, environ: Mapping[str, str]
) -> Address:
    """Return the address with the password that is given nearest to it."""
    if parts.password:
        return replace(address, password=unquote(parts.password), password_from="url")
    if address.password_file:
        try:
            text = Path(address.password_file).expanduser().read_text()
        except (OSError, UnicodeDecodeError) as error:
            _refuse(url, f"names a readable file for its password ({error})", "Correct it")
        return replace(address, password=text.rstrip("\r\n"), password_from="file")
    if environ.get("REDIS_PASSWORD"):
        return replace(address, password=environ["REDIS_PASSWORD"], password_from="environment")
    return address


# -- options: how each is read -----------------------------------------------------------
def _folder(url: str, name: str, text: str) -> str:
    return str(Path(text).expanduser().absolute())


def _size(url: str, name: str, text: str) -> int:
    match = _SIZE.fullmatch(text)
    if not match:
        _refuse(url, f"gives {name}= as a size", f"Write {name}=256M, say")
    return int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))


def _seconds(url: str, name: str, text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 1e6:
        _refuse(url, f"gives {name}= in seconds, at least a tenth", f"Write {name}=30, say")
    return seconds


def _flag(url: str, name: str, text: str) -> bool:
    if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
        _refuse(url, f"answers {name}= with true or false", "Correct it")
    return text.lower() in ("true", "yes", "1")


def _certainty(url: str, name: str, text: str) -> str:
    if text not in ("required", "none"):
        _refuse(url, f"has {name}=required or {name}=none", "Correct it")
    return text


#: What may stand after the ``?`` beside ``project`` and ``db``, and how it is read.
OPTIONS: dict[str, Callable[[str, str, str], Any]] = {
    "files": _folder,
    "largest": _size,
    "lease": _seconds,
    "password_file": _folder,
    "ca_certs": _folder,
    "certfile": _folder,
    "keyfile": _folder,
    "check_hostname": _flag,
    "cert_reqs": _certainty,
}


def _refuse(url: str, rule: str, remedy: str) -> NoReturn:
    raise UsageError(f"The URL of a store on a server {rule}. {remedy}; got {mask(url)!r}.")
