"""Value -> canonical bytes: what makes two calls one task. Pure; imports only errors.

In comes any Python value, out come bytes that are equal exactly when the values are
the same: in every process, under every hash seed, on every supported Python and numpy.
Around this sit the copy that a task keeps of its arguments and the substitution that
puts results where tasks stood.

How a value is written
    One tag byte, then a body that says where it ends: ``i42;`` is an integer,
    ``s2:ab`` a string of two bytes, ``l3:`` a list followed by three values. Nothing is
    ever written without its end, so that no other structure has the same bytes:
    ``[[1], 2]`` is ``l2:l1:i1;i2;`` and ``[[1, 2]]`` is ``l1:l2:i1;i2;``. Sets and dicts
    are sorted by the bytes of their items, arrays are a digest of their data in C order.

How a type finds its encoder
    ``ENCODERS[type(x)]`` answers for exact types. A type met for the first time is
    looked up by the names in ``finding.py``, so that no library is imported here;
    what nobody claims is walked through its reduce protocol (``objects.py``).

What this does not promise
    Objects walked by reduce keep their bytes only within one version of their library.
    Functions and classes are their names, never their code. Shared references are
    written each time they are met: a structure of n levels that refers twice to the
    level below costs 2**n.
"""

from taskgraph.hashing import containers, plain
from taskgraph.hashing.digests import DigestCache, digest_files, set_digest_cache
from taskgraph.hashing.files import File, check_files
from taskgraph.hashing.names import qualified_name, set_main_stem
from taskgraph.hashing.places import located
from taskgraph.hashing.registering import register_dependency, register_hasher
from taskgraph.hashing.substitution import substitute
from taskgraph.hashing.walk import ENCODERS, Encoder, Walk, digest, encode, verify
from taskgraph.hashing.wrappers import CustomHash, NoHash, timed_path

#: Number of the key scheme: part of every key. A new one recomputes all results.
SCHEME: int = 1

ENCODERS.update(plain.ENCODERS)
ENCODERS.update(containers.ENCODERS)

__all__ = [
    "ENCODERS",
    "SCHEME",
    "CustomHash",
    "DigestCache",
    "Encoder",
    "File",
    "NoHash",
    "Walk",
    "check_files",
    "digest",
    "digest_files",
    "encode",
    "located",
    "qualified_name",
    "register_dependency",
    "register_hasher",
    "set_digest_cache",
    "set_main_stem",
    "substitute",
    "timed_path",
    "verify",
]
