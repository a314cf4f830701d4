"""Types that bring their own pickling, and the search for the part that can't be pickled."""

from __future__ import annotations

import pickle
import sys
import threading

import numpy as np
import pytest

from taskgraph import codecs
from taskgraph.codecs import mainstem, rebuild
from taskgraph.codecs.blame import blame
from taskgraph.errors import CodecError, ResultCorrupt


def whole(obj):
    payload, _ = codecs.encode(obj)
    return memoryview(bytearray(payload if isinstance(payload, bytes) else b"".join(payload)))


class Volume:
    """Data with out-of-band pickling of its own."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return Volume, (pickle.PickleBuffer(self.data),)


@pytest.mark.parametrize("size", [100, 100_000])
def test_buffers_of_strangers_stay_out_of_the_pickle_when_large(size):
    data = bytearray(size)
    array = np.arange(3.0)
    payload = whole([Volume(data), array, Volume(data)])
    found = codecs.decode(payload)
    assert bytes(found[0].data) == bytes(found[2].data) == bytes(data)
    np.testing.assert_array_equal(found[1], array)
    if size > 1024:
        assert np.shares_memory(
            np.frombuffer(found[0].data), np.frombuffer(payload[:0] or payload, np.uint8)
        )


def test_types_that_numpy_can_not_describe_go_numpy_s_way():
    texts = np.array(["a", "long enough to leave the cell"], np.dtypes.StringDType())
    assert codecs.decode(whole(texts)).tolist() == texts.tolist()
    assert codecs.decode(whole([texts]))[0].tolist() == texts.tolist()
    masked = np.ma.masked_array([1, 2], [False, True])
    assert codecs.decode(whole(masked)).mask.tolist() == [False, True]
    titled = np.dtype([(("a title", "name"), "i4")])
    assert codecs.decode(whole(np.zeros(2, titled))).dtype.fields.keys() == titled.fields.keys()
    subarray = np.dtype(("f4", (2, 3)))
    assert codecs.decode(whole([subarray])) == [subarray]


def test_classes_of_numpy_and_functions_are_full_pickles():
    assert codecs.decode(whole([np.float32, np.sin, len])) == [np.float32, np.sin, len]
    with pytest.raises(CodecError, match="allow it"):
        codecs.decode(whole([np.float32]), allow_pickle=False)


def test_a_class_of_the_same_name_as_a_plain_one_is_not_plain():
    fake = type("OrderedDict", (dict,), {"__module__": "collections"})
    payload = whole(fake(a=1))
    with pytest.raises(CodecError, match="allow it"):
        codecs.decode(payload, allow_pickle=False)


def test_several_buffers_in_a_row_are_one_payload():
    array = np.random.default_rng(0).random((100, 100))
    payload, _ = codecs.encode([array])
    assert not isinstance(payload, bytes)
    np.testing.assert_array_equal(codecs.decode(payload)[0], array)
    assert "1 buffers" in codecs.describe(payload)
    assert codecs.decode([b"s", b"\x01" + bytes(7), b"x"]) == "x"


def test_other_item_formats_are_read_byte_by_byte():
    payload = whole(np.arange(4.0))
    np.testing.assert_array_equal(codecs.decode(payload.cast("b")), np.arange(4.0))


class Slotted:
    """Keeps its parts in slots."""

    __slots__ = ("empty", "part")

    def __init__(self, part):
        self.part = part


def test_blame_goes_down_to_the_smallest_failing_part():
    bad = object()

    def contains(obj):
        if isinstance(obj, Slotted):
            return contains(obj.part)
        if isinstance(obj, dict):
            return any(contains(part) for pair in obj.items() for part in pair)
        if isinstance(obj, list | tuple | set | frozenset):
            return any(map(contains, obj))
        return obj is bad or obj is closure

    def closure():
        return bad

    unset = [None]
    if unset[0]:
        late = 1

    def empty_cell():
        return late

    def works(obj):
        return not contains(obj)

    assert blame(Slotted([1, bad]), works) == (".part[1]", bad)
    assert blame({"a": {1, (bad,)}}, works)[0].startswith("['a']{(")
    assert blame({bad: 1}, works) == (".keys()[object]", bad)
    assert blame([closure], works) == ("[0].<bad>", bad)
    assert blame([empty_cell, bad], works) == ("[1]", bad)
    assert blame([Slotted, bad], works) == ("[1]", bad)
    assert blame(bad, works) == ("", bad)


def test_blame_ends_where_parts_never_do():
    endless = []
    endless.append([endless])
    path, _ = blame(endless, lambda obj: False)
    assert path.count("[0]") == 50


def test_a_closure_over_a_lock_is_named():
    lock = threading.Lock()
    with pytest.raises(CodecError, match=r"result\[0\]\.<lock>"):
        codecs.encode([lambda: lock])


def test_names_are_looked_up_in_another_jugfile_by_importing_it(tmp_path, monkeypatch):
    (tmp_path / "older_study.py").write_text("class Cell:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert mainstem.resolve("older_study", "Cell").__name__ == "Cell"
    with pytest.raises(AttributeError, match="no attribute 'Gone'"):
        mainstem.resolve("older_study", "Gone")
    with pytest.raises(ImportError):
        mainstem.resolve("never_written", "Cell")
    assert mainstem.name_in_main(mainstem.resolve) is None
    del sys.modules["older_study"]


def test_without_a_file_the_main_module_keeps_its_name(monkeypatch):
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    assert mainstem.main_stem() == "__main__"
    with pytest.raises(AttributeError):
        mainstem.resolve("__main__", "Gone")


@pytest.mark.parametrize("name", ["array", "dtype", "objects", "tensor", "main"])
def test_every_name_of_the_format_exists_for_the_pickler(name):
    arguments = ("",) if name == "dtype" else ("", 0)
    with pytest.raises(CodecError, match="must be read by"):
        getattr(rebuild, name)(*arguments)


def test_a_forged_dtype_or_object_array_is_corrupt():
    from taskgraph.codecs.frame import pack
    from taskgraph.codecs.wire import ARRAY, PLAIN

    for name, arguments in (
        ("dtype", ("{",)),
        ("dtype", ('"nonsense"',)),
        ("objects", ((3,), [1])),
    ):
        stream = f"ctaskgraph.codecs.rebuild\n{name}\n".encode()
        payload, _ = pack(PLAIN, "", stream + pickle.dumps(arguments, 2)[2:-1] + b"R.", [])
        with pytest.raises(ResultCorrupt):
            codecs.decode(payload)
    payload, _ = pack(ARRAY, "", b'["|u1", [0], "C"]', [])
    with pytest.raises(ResultCorrupt, match="one buffer"):
        codecs.decode(payload)


def test_a_long_preview_is_cut_and_a_huge_one_is_not_loaded():
    assert codecs.preview(whole("x" * 1000), width=50).endswith("...")
    assert codecs.preview(whole(np.zeros(1 << 20))) == "array float64 (1048576,)"
    with pytest.raises(ResultCorrupt):
        codecs.describe(b"")
