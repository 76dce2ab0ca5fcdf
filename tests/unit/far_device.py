"""A simulated device: tensors on ``meta`` whose numbers lie on the host, out of reach.

It forbids what a GPU forbids, and counts what makes the host wait for a GPU.
"""

import math
import weakref
from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "meta"

aten = torch.ops.aten
# For these the host waits until the device has done all that it still has to do.
WAITS = {
    aten._local_scalar_dense.default,
    aten._linalg_check_errors.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.equal.default,
}


class MixedDevices(RuntimeError):
    """An operation was given numbers on the host and numbers on the device."""


class NoWaitDue(RuntimeError):
    """The host would wait for the device where it must not."""


class FarTensor(torch.Tensor):
    """A tensor of the far device; only `FarDevice` works with its numbers, ``held``."""

    @staticmethod
    def __new__(cls, held):
        far = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), dtype=held.dtype, device=NAME
        )
        far.held = held
        return far

    __torch_function__ = torch._C._disabled_torch_function_impl  # results are plain

    def tolist(self):
        return self.cpu().tolist()  # torch defines it only for its own class

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func}: the far device is closed")


class FarDevice(TorchDispatchMode):
    """While open, torch's device ``meta`` computes, counts waits, and runs out of memory.

    Parameters
    ----------
    memory
        Bytes that all tensors there may take; views take none.

    Attributes
    ----------
    calls
        How often each operation ran there, by its name without overload.
    waits
        Times that the host waited for a result.
    may_wait
        Whether the host may wait at all.
    uploads
        Tensors that came from the host.
    used, peak
        Bytes that tensors take now, and that they took at most.
    """

    def __init__(self, memory=math.inf):
        super().__init__()
        self.memory = memory
        self.used = self.peak = 0
        self.waits = self.uploads = 0
        self.may_wait = True
        self.calls = Counter()
        self._owners = Counter()

    @classmethod
    def _should_skip_dynamo(cls):
        """Have torch call `__torch_dispatch__` itself, and not through its compiler."""
        return False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = []
        _mapped(tensors.append, (args, *kwargs.values()))
        is_far = [isinstance(each, FarTensor) for each in tensors]
        # An operation without a device of its own runs where its tensors are.
        target = kwargs.get("device") or (NAME if any(is_far) else "cpu")
        there = torch.device(target).type == NAME
        if func is aten._to_copy.default:
            self.uploads += there and not is_far[0]
            self._wait(func, is_far[0] and not there)
        elif func is aten.copy_.default:
            self.uploads += is_far[0] and not is_far[1]
            self._wait(func, is_far[1] and not is_far[0])
            there = is_far[0]
        elif not any(is_far) and not there:
            return func(*args, **kwargs)
        else:
            near = [each for each, far in zip(tensors, is_far, strict=True) if not far]
            if any(each.ndim for each in near):
                raise MixedDevices(f"{func}: {[tuple(each.shape) for each in near]} of the host")
            self._wait(func, func in WAITS or self._looks_for_the_true(func, args))
        if there:
            self.calls[func.overloadpacket.__name__] += 1
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        holders = {id(each.held): each for each, far in zip(tensors, is_far, strict=True) if far}
        held = {name: _mapped(_held, value) for name, value in kwargs.items()}
        found = func(*_mapped(_held, args), **held)
        if not there:
            return found

        def taken_in(each):  # unless it was changed in place
            return holders[id(each)] if id(each) in holders else self._take_in(each)

        return _mapped(taken_in, found)

    def _wait(self, func, waits):
        if waits and not self.may_wait:
            raise NoWaitDue(func)
        self.waits += waits

    @staticmethod
    def _looks_for_the_true(func, args):
        """Tell whether an index is a mask, whose true entries the host has to count."""
        if func not in (aten.index.Tensor, aten.index_put_.default):
            return False
        return any(index is not None and index.dtype == torch.bool for index in args[1])

    def _take_in(self, found):
        storage = found.untyped_storage()
        key, size = storage.data_ptr(), storage.nbytes()
        if not self._owners[key]:
            if self.used + size > self.memory:
                raise torch.OutOfMemoryError("the far device is out of memory")
            self.used += size
            self.peak = max(self.peak, self.used)
        self._owners[key] += 1
        far = FarTensor(found)
        weakref.finalize(far, self._release, key, size)
        return far

    def _release(self, key, size):
        self._owners[key] -= 1
        if not self._owners[key]:
            self.used -= size


def _mapped(function, value):
    """Return arguments or results with a function applied to their tensors."""
    if isinstance(value, list | tuple):
        return type(value)([_mapped(function, each) for each in value])
    return function(value) if isinstance(value, torch.Tensor) else value


def _held(tensor):
    return tensor.held if isinstance(tensor, FarTensor) else tensor
