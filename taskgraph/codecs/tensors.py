"""torch tensors <-> a short description and one buffer.

A tensor on any device flows in; ``(description, Part)`` flows out and comes back as a
tensor on the CPU. The device it lay on is kept for people, not restored: the machine
that loads it may have none. torch is imported by whoever made the tensor, never first.

What it does not keep: storage shared by two tensors (each gets its own copy), strides
(a channels-last tensor comes back with the same values, row by row) and the autograd
graph. Sparse, quantized and subclassed tensors are left to torch's own pickling.
"""

from __future__ import annotations

from math import prod
from typing import Any

from taskgraph.codecs.frame import Part
from taskgraph.codecs.wire import corrupt

#: dtype name, shape, requires_grad, is a Parameter, device it lay on.
Description = tuple[str, tuple[int, ...], bool, bool, str]


def take_apart(tensor: Any) -> tuple[Description, Part] | None:
    """Return ``(description, part)`` of a tensor; ``None`` when torch must do it itself.

    Parameters
    ----------
    tensor : torch.Tensor or torch.nn.Parameter
        Of exactly such a type, any shape and dtype. It is not copied when it lies
        contiguous on the CPU.
    """
    import torch

    strange = tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta
    if strange or getattr(tensor, "__dict__", None):
        return None
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    dtype = tensor.dtype
    data = memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else b""
    integers = not (dtype.is_floating_point or dtype.is_complex)
    description: Description = (
        str(dtype).removeprefix("torch."),
        tuple(tensor.shape),
        bool(tensor.requires_grad),
        isinstance(tensor, torch.nn.Parameter),
        str(tensor.device),
    )
    return description, Part(data, dtype.itemsize, integers)


def put_together(description: Description, data: memoryview) -> Any:
    """Return the tensor on the CPU: a view when ``data`` is writable, else a copy.

    torch knows no read-only memory, so a tensor over a ``bytes`` object would let its
    user change what must not change.

    Raises
    ------
    ResultCorrupt
        If the description makes no sense or asks for another number of bytes.
    """
    import torch

    try:
        name, shape, grad, parameter, _ = description
        dtype = getattr(torch, name)
        if not isinstance(dtype, torch.dtype) or prod(shape) * dtype.itemsize != len(data):
            raise corrupt("a tensor's shape does not fit its bytes", description)
        if len(data):
            memory = bytearray(data) if data.readonly else data
            flat = torch.frombuffer(memory, dtype=torch.uint8).view(dtype)
        else:
            flat = torch.empty(0, dtype=dtype)
        tensor = flat.reshape(shape)
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise corrupt("the description of a tensor makes no sense", description) from error
    if parameter:
        return torch.nn.Parameter(tensor, requires_grad=grad)
    return tensor.requires_grad_() if grad else tensor
