"""torch tensors, parameters and state dicts through the codecs."""

from __future__ import annotations

import numpy as np
import pytest

from taskgraph import codecs
from taskgraph.codecs import frame, pickling
from taskgraph.codecs.wire import PLAIN
from taskgraph.errors import ResultCorrupt

torch = pytest.importorskip("torch")


def whole(obj):
    payload, _ = codecs.encode(obj)
    return memoryview(bytearray(payload if isinstance(payload, bytes) else b"".join(payload)))


DTYPES = [
    torch.float64,
    torch.bfloat16,
    torch.float16,
    torch.float8_e4m3fn,
    torch.bool,
    torch.int8,
    torch.uint8,
    torch.int64,
    torch.complex64,
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (3, 4)], ids=str)
def test_every_dtype_comes_back_without_trust(dtype, shape):
    tensor = torch.ones(shape).to(dtype)
    for payload in (whole(tensor), bytes(whole([tensor]))):
        found = codecs.decode(payload, allow_pickle=False)
        found = found[0] if isinstance(found, list) else found
        assert (found.dtype, found.shape) == (dtype, tensor.shape)
        assert torch.equal(found.to(torch.complex64), tensor.to(torch.complex64))


def test_a_large_tensor_is_a_view_both_ways():
    tensor = torch.rand(200, 200)
    payload, _ = codecs.encode(tensor)
    sent = np.frombuffer(next(part for part in payload if isinstance(part, memoryview)), np.uint8)
    assert np.shares_memory(sent, tensor.numpy())
    buffer = whole(tensor)
    found = codecs.decode(buffer)
    assert np.shares_memory(np.frombuffer(buffer, np.uint8), found.numpy())


def test_a_tensor_from_read_only_bytes_may_be_written_without_harm():
    payload = bytes(whole(torch.zeros(5)))
    codecs.decode(payload)[0] = 9
    assert codecs.decode(payload)[0] == 0


def test_views_keep_their_values_and_requires_grad_its_word():
    base = torch.arange(24.0).reshape(2, 3, 4)
    found = codecs.decode(
        whole([base.permute(2, 0, 1), base[:, 1], torch.ones(2, requires_grad=True)])
    )
    assert torch.equal(found[0], base.permute(2, 0, 1))
    assert torch.equal(found[1], base[:, 1])
    assert found[2].requires_grad
    conjugate = torch.tensor([1 + 2j]).conj()
    assert torch.equal(codecs.decode(whole(conjugate)), conjugate.resolve_conj())


def test_a_state_dict_is_plain_and_a_module_comes_back():
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    state = codecs.decode(whole(module.state_dict()), allow_pickle=False)
    assert list(state) == list(module.state_dict())
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
    found = codecs.decode(whole(module))
    assert isinstance(found[0].weight, torch.nn.Parameter)
    assert found[0].weight.requires_grad
    found.load_state_dict(state)


def test_sparse_tensors_and_subclasses_go_torch_s_way():
    class Named(torch.Tensor):
        pass

    sparse = torch.eye(4).to_sparse()
    assert torch.equal(codecs.decode(whole(sparse)).to_dense(), torch.eye(4))
    marked = torch.ones(2)
    marked.note = "kept"
    assert codecs.decode(whole(marked)).note == "kept"


def test_integer_tensors_are_compressed_and_described():
    labels = torch.zeros(1 << 16, dtype=torch.int32)
    payload = whole(labels)
    assert len(payload) < 4096
    assert codecs.describe(payload).startswith("torch.Tensor torch.int32 torch.Size([65536]) cpu")
    assert torch.equal(codecs.decode(payload), labels)


@pytest.mark.parametrize(
    "description",
    [
        ("float32", (10**9,), False, False, "cpu"),
        ("load", (2,), False, False, "cpu"),
        ("float32", "no", False, False, "cpu"),
        ("float32",),
    ],
    ids=str,
)
def test_a_forged_tensor_is_corrupt(description):
    stream = pickling.pickle.dumps((description, 0), 2)[2:-1]
    call = b"\x80\x02ctaskgraph.codecs.rebuild\ntensor\n" + stream + b"R."
    payload, _ = frame.pack(PLAIN, "", call, [frame.Part(bytes(8))])
    with pytest.raises(ResultCorrupt):
        codecs.decode(payload)
