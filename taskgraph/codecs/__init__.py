"""Object <-> payload: ``payload, digest = encode(obj)`` and ``obj = decode(payload)``.

A task's result flows in and a payload flows out (one buffer, or several in a row, with
big arrays among them uncopied), and back: arrays come as views into the payload. This
package is the only unpickler of the project. It must not know stores, keys or tasks.

Rooms: ``formats`` (the doors), ``scalars``, ``frame`` (layout with buffers), ``arrays``,
``tensors``, ``compress``, ``pickling`` and ``unpickling`` (everything else), ``mainstem``
(``__main__`` and the jugfile's stem), ``blame`` (which part can't be pickled), ``preview``,
``signing`` (frames that strangers can't forge), ``trust`` (no pickle at all).

What it does not give
    * Damage inside the data of a scalar or an array is not seen here: stores keep a
      checksum over every payload. Heads and pickles carry their own.
    * Two equal objects that share their parts differently may have two digests.
    * Payloads hold views of big arrays: publish them before anyone writes to the arrays.
"""

from taskgraph.codecs.formats import decode, encode
from taskgraph.codecs.mainstem import set_main_stem
from taskgraph.codecs.preview import describe, preview
from taskgraph.codecs.trust import pickle_allowed, set_pickle
from taskgraph.codecs.wire import Buffer, Payload

__all__ = [
    "Buffer",
    "Payload",
    "decode",
    "describe",
    "encode",
    "pickle_allowed",
    "preview",
    "set_main_stem",
    "set_pickle",
]
