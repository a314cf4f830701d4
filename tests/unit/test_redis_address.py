"""URLs of stores on a server: taken apart strictly, and never shown with a password."""

from __future__ import annotations

import pytest

from backends.redis_store.address import LARGEST, mask, parse
from taskgraph.errors import UsageError

SECRET = "s3cr3t"

FORMS = {
    "redis://host?project=p": ("host", 6379, 0, ""),
    "redis://host:7000/3?project=p": ("host", 7000, 3, ""),
    "REDIS://Host/?project=p": ("host", 6379, 0, ""),
    "rediss://[::1]:7000/2?project=p": ("::1", 7000, 2, ""),
    "unix:///run/redis.sock?project=p": ("", 6379, 0, "/run/redis.sock"),
    "unix:///run/a%20b.sock?db=4&project=p": ("", 6379, 4, "/run/a b.sock"),
    "redis+file://host/1?project=p&files=/shared": ("host", 6379, 1, ""),
    "unix+file:///run/redis.sock?project=p&files=/shared": ("", 6379, 0, "/run/redis.sock"),
}


@pytest.mark.parametrize("url", FORMS)
def test_a_url_says_where_the_server_is(url):
    address = parse(url, {})
    assert (address.host, address.port, address.db, address.path) == FORMS[url]
    assert address.project == "p"
    assert address.files == ("/shared" if address.mixed else "")


@pytest.mark.parametrize("url", FORMS)
def test_the_shown_url_means_the_same_place(url):
    address = parse(url, {})
    assert parse(address.shown, {}) == address


def test_options_are_read_in_their_units():
    url = "rediss://h?project=p&largest=256M&lease=90&check_hostname=false&cert_reqs=none"
    address = parse(url, {})
    assert (address.largest, address.lease) == (256 << 20, 90.0)
    assert (address.check_hostname, address.cert_reqs, address.tls) == (False, "none", True)
    assert parse(address.shown, {}) == address
    assert parse("redis://h?project=p", {}).largest == LARGEST == 64 << 20


BAD = {
    "redis:/host?project=p": "host",
    "redis://?project=p": "host",
    "http://host?project=p": "begins with one of redis://",
    "redis://host": "project=NAME",
    "redis://host?project=": "value",
    "redis://host?project": "taken apart",
    "redis://host?project=a/b": "another name than 'a/b'",
    "redis://host?project=" + "x" * 65: "at most 64",
    "redis://host?project={p}": "letters",
    "redis://host?project=p&project=q": "one 'project'",
    "redis://host?project=p&retry=1": "'retry'",
    "redis://host?project=p&ca_certs=/x": "'ca_certs'",
    "redis://host?project=p&files=/x": "'files'",
    "redis://host?project=p&db=1": "'db'",
    "redis://host:x?project=p": "taken apart",
    "redis://host:70000?project=p": "taken apart",
    "redis://host/x?project=p": "number",
    "redis://host/-1?project=p": "number",
    "redis://host/1/2?project=p": "number",
    "redis://host/²?project=p": "number",
    "unix:///s?db=one&project=p": "number",
    "unix://relative?project=p": "whole path",
    "unix:///?project=p": "whole path",
    "redis+file://host?project=p": "&files=",
    "redis://host?project=p&largest=big": "largest=256M",
    "redis://host?project=p&largest=-1": "largest=256M",
    "redis://host?project=p&lease=soon": "lease=30",
    "redis://host?project=p&lease=0": "lease=30",
    "redis://host?project=p&lease=nan": "lease=30",
    "rediss://host?project=p&check_hostname=perhaps": "check_hostname=",
    "rediss://host?project=p&cert_reqs=optional": "cert_reqs=none",
    "rediss://host?project=p&keyfile=/k": "certfile=FILE",
    "redis://host?project=p&password_file=/nowhere/at/all": "readable file",
    "redis://host?project=p#part": "#",
    "redis://[::1?project=p": "taken apart",
}


@pytest.mark.parametrize("url", BAD)
def test_what_cant_be_meant_is_refused_with_a_remedy(url):
    """Rule, remedy and the value got; nothing falls back to localhost."""
    with pytest.raises(UsageError) as caught:
        parse(url, {})
    text = str(caught.value)
    assert BAD[url] in text
    assert mask(url) in text


# -- passwords -------------------------------------------------------------------------------
@pytest.mark.parametrize("password", [SECRET, f"{SECRET}%40x", f"{SECRET}%2F%3A%3F%23"])
def test_a_password_in_the_url_is_used_and_never_shown(password):
    from urllib.parse import unquote

    address = parse(f"redis://user:{password}@host?project=p", {"REDIS_PASSWORD": "other"})
    assert (address.username, address.password) == ("user", unquote(password))
    assert (address.password_from, parse("redis://:x@h?project=p", {}).username) == ("url", "")
    for text in (repr(address), str(address), address.shown, address.where):
        assert SECRET not in text
    assert address.shown == "redis://user@host:6379/0?project=p"


@pytest.mark.parametrize(
    "url",
    [
        f"redis://user:{SECRET}@host",
        f"redis://:{SECRET}@host:99999?project=p",
        f"redis://:{SECRET}@@host?project=p&x=1",
        f"redis://:{SECRET}/{SECRET}@host?project=p&x=1",
        f"redis://:{SECRET}#{SECRET}@host?project=p",
        f"redis://:{SECRET}?{SECRET}@host?project=p",
        f"redis://:a?{SECRET}=1@host?project=p",
        f"redis://me:1?{SECRET}@host?project=p",
        f"redis://host?project=p&password={SECRET}",
        f"ftp://user:{SECRET}@host",
        f"redis://user:{SECRET}@[host?project=p",
    ],
)
def test_no_error_shows_a_password(url):
    with pytest.raises(UsageError) as caught:
        parse(url, {})
    assert SECRET not in str(caught.value)


def test_a_password_may_come_from_a_file_or_the_environment(tmp_path):
    """The nearest to the URL is taken: the URL, then its file, then the environment."""
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    around = {"REDIS_PASSWORD": "around"}
    url = f"redis://host?project=p&password_file={file}"
    assert parse(url, around).password == SECRET
    assert parse(url, around).password_from == "file"
    assert parse(parse(url, {}).shown, {}).password == SECRET
    assert parse(f"redis://:near@host?project=p&password_file={file}", around).password == "near"
    alone = parse("redis://host?project=p", around)
    assert (alone.password, alone.password_from) == ("around", "environment")
    assert parse("redis://host?project=p", {"REDIS_PASSWORD": ""}).password_from == ""
