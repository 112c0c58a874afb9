"""Bytes that weights really take, also where a tensor is a shell around smaller ones."""

from torch import Tensor, nn


def stored_bytes(module: nn.Module) -> int:
    """Of all parameters and buffers of `module`."""
    return sum(tensor_bytes(each) for each in (*module.parameters(), *module.buffers()))


def tensor_bytes(tensor: Tensor) -> int:
    """Of one tensor: of its inner tensors if it is a quantised one."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return tensor.nbytes
    names, _ = tensor.__tensor_flatten__()
    return sum(tensor_bytes(getattr(tensor, name)) for name in names)
