"""Round trips, digests, copies, `__main__` and errors of the codecs."""

from __future__ import annotations

import datetime
import pickle
import subprocess
import sys
import threading
import types
import zlib
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taskgraph import codecs
from taskgraph.codecs import mainstem
from taskgraph.errors import CodecError

Point = namedtuple("Point", "x y")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.frozensets(st.integers() | st.text())
    ),
    max_leaves=20,
)
ARRAYS = [
    np.zeros(()),
    np.zeros((0, 3), np.float32),
    np.arange(24).reshape(2, 3, 4),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.arange(20)[::2],
    np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    np.arange(5, dtype=">i4"),
    np.array([(1, 2.5, "ab")], dtype=[("a", "<i4"), ("b", ">f8"), ("c", "<U4")]),
    np.zeros(2, dtype=[("inner", [("x", "i2"), ("y", "f4", (2, 3))])]),
    np.zeros(3, dtype=np.dtype([("a", "u1"), ("b", "f8")], align=True)),
    np.array(["2020-01-01", "NaT"], "M8[D]"),
    np.array([1, 2], "m8[us]"),
    np.array(["a", "bcd"]),
    np.array([b"a", b"bcd"]),
    np.array([1 + 2j], np.complex64),
    np.array([True, False]),
    np.float16([1, 2]),
    np.array([1], np.longdouble),
    np.broadcast_to(np.arange(3), (1000, 3)),
    np.arange(100_000, dtype=np.int32) // 1000,
    np.random.default_rng(0).random((300, 100)),
]


def whole(obj):
    """Return the payload of an object as one writable buffer."""
    payload, digest = codecs.encode(obj)
    assert len(digest) == 8
    data = payload if isinstance(payload, bytes) else b"".join(payload)
    return memoryview(bytearray(data))


def again(obj, **options):
    return codecs.decode(whole(obj), **options)


@given(values)
def test_plain_values_come_back_equal_and_of_the_same_type(value):
    for payload in (whole(value), bytes(whole(value))):
        found = codecs.decode(payload, allow_pickle=False)
        assert found == value
        assert type(found) is type(value)
        assert repr(found) == repr(value) or isinstance(value, dict | frozenset | list | tuple)


@given(values)
def test_one_content_has_one_digest_in_one_process(value):
    assert codecs.encode(value)[1] == codecs.encode(pickle.loads(pickle.dumps(value)))[1] or (
        # Parts that were one object and are two now are another content for pickle.
        isinstance(value, tuple | list | dict | frozenset)
    )
    assert codecs.encode(value) == codecs.encode(value)


def test_values_that_python_calls_equal_have_different_digests():
    alike = [1, 1.0, True, 1 + 0j, "1", b"1", [1], (1,), np.int64(1), np.int32(1), np.array(1)]
    assert len({codecs.encode(value)[1] for value in alike}) == len(alike)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_keep_dtype_shape_and_order(array):
    for found in (again(array), again({"a": [array]}, allow_pickle=False)["a"][0]):
        assert type(found) is np.ndarray
        assert found.dtype == array.dtype
        assert found.dtype.isalignedstruct == array.dtype.isalignedstruct or array.dtype.names
        np.testing.assert_array_equal(found, array)
        assert found.flags.writeable
        if array.flags.f_contiguous:
            assert found.flags.f_contiguous


@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0)))
def test_any_array_comes_back(array):
    found = again(array)
    assert found.dtype == array.dtype
    assert found.tobytes() == array.tobytes()
    assert found.shape == array.shape


@pytest.mark.parametrize(
    "scalar",
    [
        np.float64(1.5),
        np.float32(2),
        np.int8(-3),
        np.bool_(True),
        np.datetime64("2020-01-01"),
        np.str_("abc"),
        np.str_(""),
        np.bytes_(b"a"),
        np.complex64(1j),
    ],
    ids=repr,
)
def test_numpy_scalars_stay_numpy_scalars(scalar):
    for found in (again(scalar), again([scalar])[0]):
        assert found == scalar
        assert type(found) is type(scalar)


def test_other_plain_types_need_no_trust():
    value = [
        OrderedDict(a=1),
        datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        datetime.timedelta(1),
        range(3),
        slice(1, 2),
        np.dtype("f4"),
        np.array(["a", None, 3], dtype=object),
        bytearray(b"x"),
        {1, 2},
    ]
    found = again(value, allow_pickle=False)
    np.testing.assert_array_equal(found.pop(6), value.pop(6))
    assert found == value


def test_big_arrays_are_not_copied_on_the_way_out():
    floats, order = (
        np.random.default_rng(0).random((200, 100)),
        np.asfortranarray(np.ones((99, 99))),
    )
    payload, _ = codecs.encode({"deep": [floats, (order,)]})
    views = [np.frombuffer(part, np.uint8) for part in payload if isinstance(part, memoryview)]
    assert any(np.shares_memory(view, floats) for view in views)
    assert any(np.shares_memory(view, order) for view in views)


def test_arrays_are_aligned_views_of_the_payload_on_the_way_in():
    payload = whole({"deep": [np.ones((200, 100)), (np.arange(7.0),)], "b": b"x" * 77})
    buffer = np.frombuffer(payload, np.uint8)
    found = codecs.decode(payload)
    for array in (found["deep"][0], found["deep"][1][0]):
        assert np.shares_memory(array, buffer)
        assert (array.ctypes.data - buffer.ctypes.data) % 64 == 0
    found["deep"][0][0, 0] = 5
    assert codecs.decode(payload)["deep"][0][0, 0] == 5
    assert not codecs.decode(bytes(payload))["deep"][0].flags.writeable


def test_an_array_met_twice_is_one_array():
    array = np.arange(3)
    first, second = again([array, array])
    assert first is second


def test_integers_are_compressed_when_it_pays_and_floats_never():
    labels = np.repeat(np.arange(64, dtype=np.int32), 4096)
    noise = np.random.default_rng(0).integers(0, 2**31, 1 << 16)
    assert len(whole(labels)) < labels.nbytes / 20
    assert len(whole(labels > 3)) < labels.size / 20
    assert len(whole([labels])) < labels.nbytes / 20
    assert len(whole(noise)) >= noise.nbytes
    assert len(whole(np.zeros(1 << 16))) >= 8 << 16
    np.testing.assert_array_equal(again(labels), labels)
    assert again(labels).flags.writeable
    np.testing.assert_array_equal(again(labels > 3), labels > 3)


def test_large_texts_and_bytes_are_not_copied_behind_their_head():
    data = bytes(1 << 20)
    payload, digest = codecs.encode(data)
    assert payload[1] is data
    assert codecs.decode(payload) == data
    assert codecs.encode(bytes(1 << 20))[1] == digest


def test_a_memmap_comes_back_as_an_array(tmp_path):
    there = np.memmap(tmp_path / "x", np.uint16, "w+", shape=(40, 50))
    there[:] = 7
    found = again(there)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, there)
    assert type(again([there])[0]) is np.ndarray


def test_tables_come_back():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = pd.DataFrame(
        {"a": np.arange(3000), "s": list("abc") * 1000, "f": np.linspace(0, 1, 3000)}
    )
    pd.testing.assert_frame_equal(again(table), table)
    assert again(pl.DataFrame({"a": [1, 2], "s": ["x", None]})).rows() == [(1, "x"), (2, None)]
    payload = whole(table)
    assert codecs.describe(payload).startswith("pandas.DataFrame (3000, 3)")


def test_lambdas_and_local_functions_go_by_value():
    offset = 5

    def local(x):
        return x + offset

    class Local:
        here = 1

    assert again(local)(1) == 6
    assert again([lambda x: x * 2])[0](4) == 8
    assert again(Local()).here == 1
    assert again(Point(1, np.arange(2))).x == 1


def test_a_class_of_main_is_found_in_the_jugfile_whichever_way_it_runs(tmp_path):
    source = (
        "import sys\nfrom taskgraph import codecs\n"
        "class Cell:\n    def __init__(self, n): self.n = n\n"
        "def grow(cell): return cell.n + 1\n"
        "if __name__ == '__main__' and sys.argv[1] == 'write':\n"
        "    payload, _ = codecs.encode([Cell(3), Cell, grow])\n"
        "    open(sys.argv[2], 'wb').write(payload)\n"
        "elif __name__ == '__main__':\n"
        "    cell, cls, f = codecs.decode(open(sys.argv[2], 'rb').read())\n"
        "    assert cls is Cell and type(cell) is Cell and f is grow and cell.n == 3\n"
        "    assert 'cells' not in sys.modules\n"
    )
    (tmp_path / "cells.py").write_text(source)
    there = tmp_path / "there.bin"

    def run(what):
        subprocess.run([sys.executable, tmp_path / "cells.py", what, there], check=True)

    run("write")
    run("read")
    module = types.ModuleType("cells")
    exec(compile(source, "cells.py", "exec"), module.__dict__)
    sys.modules["cells"] = module
    codecs.set_main_stem("cells")
    try:
        cell, cls, _ = codecs.decode(there.read_bytes())
        assert type(cell) is cls is module.Cell
        there.write_bytes(whole([module.Cell(3), module.Cell, module.grow]))
    finally:
        codecs.set_main_stem(None)
        del sys.modules["cells"]
    run("read")


def test_the_stem_of_the_running_program_is_the_default():
    assert mainstem.is_main("__main__")
    codecs.set_main_stem("study")
    try:
        assert mainstem.is_main("study")
        assert not mainstem.is_main("numpy")
    finally:
        codecs.set_main_stem(None)


class Holder:
    """Anything with a part that can't be pickled."""

    def __init__(self, part):
        self.part = part


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([1, {"k": threading.Lock()}], "result[1]['k']"),
        (Holder((1, threading.Lock())), "result.part[1]"),
        ((n for n in ()), "generator at result"),
        ({(1, 2): Holder(zlib.compressobj())}, "result[(1, 2)].part"),
    ],
    ids=["lock", "attribute", "generator", "zlib"],
)
def test_an_unpicklable_result_is_named_by_its_place(value, place):
    with pytest.raises(CodecError, match="must be picklable") as caught:
        codecs.encode(value)
    assert place in str(caught.value)


class Moody:
    """An object whose own pickling raises something odd."""

    def __reduce__(self):
        raise ZeroDivisionError("on purpose")


def test_an_error_in_a_class_s_own_pickling_is_a_codec_error():
    with pytest.raises(CodecError, match=r"Moody at result\['m'\]: on purpose"):
        codecs.encode({"m": Moody()})


def test_too_deep_a_nesting_is_an_error_not_a_crash():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CodecError, match="nested so deeply"):
        codecs.encode(deep)


def test_a_result_whose_class_is_gone_says_what_is_missing():
    payload = whole(Holder(1))
    kept = globals().pop("Holder")
    try:
        with pytest.raises(CodecError, match="must find the modules and classes"):
            codecs.decode(payload)
    finally:
        globals()["Holder"] = kept


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NoneType: None"),
        (3, "int: 3"),
        ("ab", "str of length 2: 'ab'"),
        (np.zeros((2, 3), ">f4"), "array >f4 (2, 3): array([[0., 0., 0.],"),
        (np.float64(2), "numpy scalar float64: np.float64(2.0)"),
        ([1, 2], "list of 2 (49 bytes): [1, 2]"),
        (np.zeros(1 << 16, np.int32), "array int32 (65536,), compressed"),
        (
            {"a": 1, "b": np.zeros(2)},
            "dict of 2 (208 bytes, 1 buffers): {'a': 1, 'b': array([0., 0.])}",
        ),
    ],
    ids=str,
)
def test_a_preview_says_type_shape_and_value(value, text):
    assert codecs.preview(whole(value)).startswith(text)


def test_a_preview_runs_no_code_of_the_result():
    payload = whole(Holder(1))
    kept, Holder.__init__ = Holder.__init__, None
    try:
        assert "Holder" in codecs.preview(payload)
        assert ":" not in codecs.preview(payload)
    finally:
        Holder.__init__ = kept
