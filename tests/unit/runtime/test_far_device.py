"""The far device forbids and counts what a GPU does, and computes what the host does."""

import numpy as np
import pytest
import torch
from far_device import FarDevice, FarTensor, MixedDevices, NoWaitDue


@pytest.fixture
def device():
    with FarDevice() as device:
        yield device


def put(array):
    return torch.from_numpy(np.array(array)).to("meta")


def test_numbers_go_there_and_back(device):
    far = put([[1.0, 2.0], [3.0, 4.0]])
    assert isinstance(far, FarTensor) and far.device.type == "meta"
    assert (device.uploads, device.waits) == (1, 0)
    np.testing.assert_array_equal((far.mT @ far + 1.0).cpu().numpy(), [[11.0, 15.0], [15.0, 21.0]])
    assert far.sum().item() == float(far.sum()) == 10.0
    assert bool((far > 0).all()) and far.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert (device.uploads, device.waits) == (1, 5)


def test_changes_in_place_and_views_reach_the_numbers(device):
    far = put([[1.0, 2.0], [3.0, 4.0]])
    far[:, 0] = 0.0
    far += torch.ones(2, dtype=torch.float64, device="meta")
    diagonal = far.diagonal()
    diagonal *= 10.0
    assert device.waits == 0 and device.uploads == 1
    assert far.tolist() == [[10.0, 3.0], [1.0, 50.0]]
    far[...] = torch.zeros(2, 2, dtype=torch.float64)
    assert device.uploads == 2 and not far.cpu().any()


def test_what_is_made_there_is_there(device):
    for made in (
        torch.zeros(2, device="meta"),
        torch.eye(2, device="meta"),
        torch.arange(2, device="meta"),
        torch.full((2,), 3, device="meta"),
        torch.empty_like(put([1.0])),
        put([1.0]).new_zeros(2),
    ):
        assert isinstance(made, FarTensor)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda far, near: far + near,
        lambda far, near: near @ far,
        lambda far, near: torch.where(near > 0, far, 0.0),
        lambda far, near: torch.stack([near, far]),
        lambda far, near: far[near.long()],
    ],
)
def test_host_and_device_do_not_mix(device, mixed):
    with pytest.raises(MixedDevices):
        mixed(put([1.0, 0.0]), torch.ones(2, dtype=torch.float64))


def test_single_numbers_of_the_host_mix(device):
    far = put([1.0, 2.0]) * torch.tensor(2.0, dtype=torch.float64)
    assert far.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("look", [lambda far: far.numpy(), np.asarray])
def test_numpy_cannot_look_there(device, look):
    with pytest.raises((TypeError, RuntimeError)):
        look(put([1.0]))


@pytest.mark.parametrize(
    "wait",
    [
        lambda far: far[far > 1],
        lambda far: torch.nonzero(far),
        lambda far: torch.linalg.cholesky(far * torch.eye(2, dtype=far.dtype, device="meta")),
    ],
)
def test_hidden_waits_are_counted(device, wait):
    wait(put([[1.0, 2.0], [3.0, 4.0]]))
    assert device.waits == 1


@pytest.mark.parametrize("look", [bool, float, lambda far: far.cpu(), lambda far: far[far > 1]])
def test_no_wait_is_let_pass_where_none_is_due(device, look):
    far = put([2.0])
    device.may_wait = False
    with pytest.raises(NoWaitDue):
        look(far)
    assert device.waits == 0


def test_memory_is_taken_and_given_back():
    with FarDevice(memory=200) as device:
        first = torch.zeros(10, dtype=torch.float64, device="meta")
        view = first[2:]
        assert device.used == 80
        del first
        assert device.used == 80  # the view holds it
        view = view + 1.0
        assert (device.used, device.peak) == (64, 144)
        with pytest.raises(torch.OutOfMemoryError):
            torch.zeros(20, dtype=torch.float64, device="meta")
        assert device.used == 64
        del view
        assert device.used == 0


def test_a_tensor_does_not_outlive_the_device():
    with FarDevice():
        far = put([1.0])
    with pytest.raises(RuntimeError, match="closed"):
        far + 1.0
