"""Tensors, frames, sparse matrices and estimators; each is skipped without its library."""

from __future__ import annotations

import copy
import datetime
import pickle

import numpy as np
import pytest

from taskgraph.errors import HashError
from taskgraph.hashing import Walk, encode, verify


def differ(*values):
    return len({encode(value) for value in values}) == len(values)


def stays(value):
    """Whether copies of a value have its encoding."""
    raw = encode(value)
    return encode(pickle.loads(pickle.dumps(value))) == encode(copy.deepcopy(value)) == raw


def noticed(value, change):
    """Whether a change of a value after its walk is noticed."""
    walk = Walk()
    walk.take([value])
    verify(walk.fragile)
    change(value)
    with pytest.raises(HashError, match="was changed"):
        verify(walk.fragile)
    return True


def test_tensors():
    torch = pytest.importorskip("torch")
    t = torch.arange(6.0).reshape(2, 3)
    assert encode(t) == encode(t.t().contiguous().t()) == encode(torch.arange(7.0)[:6].view(2, 3))
    param = torch.nn.Parameter(t.clone())
    assert differ(t, t.double(), t.reshape(3, 2), t.bfloat16(), t.half(), t.numpy(), param)
    assert differ(torch.zeros(0), torch.zeros(0, 2), torch.tensor(0.0), torch.float32)
    assert encode(torch.conj(torch.tensor([1j]))) == encode(torch.tensor([complex(0, -1)]))
    assert stays(param)
    assert stays(torch.eye(3).to_sparse())
    assert stays(torch.nn.Linear(2, 3))
    assert differ(torch.nn.Linear(2, 3), torch.nn.Linear(2, 3))
    assert noticed(t, lambda t: t.add_(1))


def pandas_values(pd):
    when = pd.to_datetime(["2020-01-01", "2021-01-01"])
    frame = pd.DataFrame(
        {
            "a": [1, 2],
            "b": ["x", None],
            "c": pd.Categorical(["u", "v"]),
            "d": when.tz_localize("Europe/Paris"),
            "e": pd.array([1, None], dtype="Int64"),
            "f": pd.period_range("2020", periods=2, freq="M"),
            "g": when,
            "h": pd.Series([[1], None], dtype=object),
        }
    )
    return [
        frame,
        frame["a"],
        frame["a"].rename("z"),
        frame.set_index("c"),
        frame.iloc[:, [0, 0]],
        frame.iloc[:0],
        frame.index,
        pd.Index([0, 1]),
        pd.Index([0, 1], name="x"),
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]),
        pd.interval_range(0, 2),
        when,
        when[0],
        pd.NA,
    ]


def test_pandas():
    pd = pytest.importorskip("pandas")
    values = pandas_values(pd)
    assert differ(*values)
    assert all(stays(value) for value in values)
    assert differ(*(pd.Series([1, 2], dtype=name) for name in ("int64", "int32", "Int64")))
    assert b"a3:<i8" in encode(pd.Series(np.arange(9)))  # as an array, not cell by cell
    frame = pd.DataFrame({"check": [1], "b": [2.0]})
    assert encode(frame) == encode(pd.concat([frame[["check"]], frame[["b"]]], axis=1))
    assert noticed(frame, lambda frame: frame.__setitem__("b", 3.0))


def test_polars():
    pl = pytest.importorskip("polars")
    when = datetime.datetime(2020, 1, 1)  # noqa: DTZ001
    frame = pl.DataFrame(
        {"a": [1, 2], "b": ["x", None], "c": [[1], [2, 3]], "d": [True, False], "e": [when] * 2}
    )
    whole = pl.Series("a", [1, 2, 3])
    parts = pl.concat([pl.Series("a", [1]), pl.Series("a", [2, 3])], rechunk=False)
    assert encode(whole) == encode(parts)
    categories = pl.Series("a", ["1", "2", "3"], dtype=pl.Categorical)
    assert differ(whole, whole.cast(pl.Int32), whole.rename("b"), whole.cast(pl.String), categories)
    assert differ(frame, frame[:1], frame[:0], frame[["a"]], whole.cast(pl.Decimal(10, 2)))
    assert stays(frame)
    with pytest.raises(HashError, match=r"frame\.collect\(\)"):
        encode(frame.lazy())


def test_sparse_matrices():
    sp = pytest.importorskip("scipy.sparse")
    csr = sp.csr_matrix([[0, 1.0], [2, 0]])
    double = sp.coo_array(([1.0, 1.0], ([0, 0], [1, 1])), shape=(2, 2))
    single = sp.coo_array(([2.0], ([0], [1])), shape=(2, 2))
    assert encode(double) == encode(single)
    assert differ(csr, csr.tocsc(), csr.astype("f4"), sp.csr_array(csr), csr.T.tocsr(), single)
    assert stays(csr)
    assert stays(sp.coo_array(np.array([0, 1])))
    assert noticed(csr, lambda csr: csr.data.__setitem__(0, 9))


def test_estimators():
    svm = pytest.importorskip("sklearn.svm")
    from sklearn.pipeline import make_pipeline

    assert differ(svm.SVC(), svm.SVC(C=2), svm.LinearSVC(), make_pipeline(svm.SVC()))
    assert stays(make_pipeline(svm.SVC(C=2)))
    data, labels = np.array([[0.0], [1.0], [2.0]]), [0, 1, 1]
    fitted = svm.SVC().fit(data, labels)
    assert stays(fitted)
    assert differ(svm.SVC(), fitted, svm.SVC().fit(data, [0, 0, 1]))


def test_special_functions():
    special = pytest.importorskip("scipy.special")
    assert encode(special.erf) == b"G17:scipy.special.erf"
