"""A job's surroundings: batches that fit, an observer's steps, the device; no result changes."""

import numpy as np
import pytest
import torch

from linear_grokking.runtime import context, devices
from linear_grokking.runtime.arrays import like, to_numpy
from linear_grokking.runtime.checkpoints import NoCheckpoint
from linear_grokking.runtime.context import JobContext
from linear_grokking.runtime.failures import EXPECTED, line
from linear_grokking.runtime.memory import FittingBatches

# On "cpu" NumPy is at home; under another name of the same device torch is.
ELSEWHERE = "cpu:0"


def batches_of(surroundings, realizations):
    found = list(surroundings.each_batch(realizations, lambda batch: [10 * k for k in batch]))
    assert [result for _, results in found for result in results] == [10 * k for k in realizations]
    return [list(batch) for batch, _ in found]


def test_on_a_cpu_realizations_come_one_at_a_time():
    assert batches_of(JobContext(host_bytes=1.0), [3, 4, 7]) == [[3], [4], [7]]


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (10, [[3, 4, 7, 8]]),
        (2.5, [[3, 4], [7, 8]]),
        (1, [[3], [4], [7], [8]]),
        (0.1, [[3], [4], [7], [8]]),
    ],
)
def test_on_a_device_as_many_as_fit_on_the_host(share, expected):
    surroundings = JobContext(device=ELSEWHERE, host_bytes=context.BATCH_BYTES / share)
    assert batches_of(surroundings, [3, 4, 7, 8]) == expected


def test_batches_are_computed_only_when_asked_for():
    for device in ("cpu", ELSEWHERE):
        surroundings = JobContext(device=device, host_bytes=context.BATCH_BYTES)
        seen = []
        batches = surroundings.each_batch([0, 1, 2], seen.append)
        assert seen == []
        next(iter(batches))
        assert len(seen) == 1


def test_batches_are_halved_for_good_where_memory_runs_out():
    sizes = []

    def work(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError
        return sum(batch)

    batches = FittingBatches(ELSEWHERE, 1.0, largest=10)
    found = list(batches.run(range(12), work))
    assert sizes == [10, 5, 2, 2, 2, 2, 2, 2]
    assert [list(batch) for batch, _ in found] == [[k, k + 1] for k in range(0, 12, 2)]
    assert [result for _, result in found] == [2 * k + 1 for k in range(0, 12, 2)]
    assert batches.size == 2


def test_other_errors_and_single_items_that_do_not_fit_are_passed_on():
    def full(batch):
        raise torch.OutOfMemoryError

    def broken(batch):
        raise ZeroDivisionError

    for work, error in ((full, torch.OutOfMemoryError), (broken, ZeroDivisionError)):
        with pytest.raises(error):
            list(FittingBatches(ELSEWHERE, 1.0, largest=4).run(range(4), work))


def test_an_observer_adds_its_steps_and_looks_at_all():
    recorded = np.array([0.0, 10.0, 100.0])
    alone = JobContext()
    assert alone.on_record is None
    np.testing.assert_array_equal(alone.steps(recorded), recorded)
    seen = []
    observed = JobContext(
        on_record=lambda step, params: seen.append(step), more_steps=np.array([5.0, 10.0])
    )
    np.testing.assert_array_equal(observed.steps(recorded), [0.0, 5.0, 10.0, 100.0])
    observed.on_record(5.0, ())
    assert seen == [5.0]
    np.testing.assert_array_equal(JobContext(on_record=print).steps(recorded), recorded)


def test_nothing_is_saved_unless_asked_for():
    assert isinstance(JobContext().checkpoint([0, 1]), NoCheckpoint)


@pytest.mark.parametrize(
    ("requested", "computes_there", "present", "expected"),
    [
        ("auto", True, True, "cuda"),
        ("auto", True, False, "cpu"),
        ("auto", False, True, "cpu"),
        ("cuda", True, True, "cuda"),
        ("cuda", False, False, "cpu"),
        ("cpu", True, True, "cpu"),
    ],
)
def test_a_job_runs_where_it_is_asked_to_and_can(
    monkeypatch, requested, computes_there, present, expected
):
    monkeypatch.setattr(devices, "gpu_present", lambda: present)
    assert devices.resolve(requested, computes_there=computes_there) == expected


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(devices, "gpu_present", lambda: False)
    with pytest.raises(ValueError, match="device = cuda: no GPU is visible"):
        devices.resolve("cuda", computes_there=True)
    for computes_there in (True, False):
        with pytest.raises(ValueError, match="device = gpu: must be auto, cpu or cuda"):
            devices.resolve("gpu", computes_there=computes_there)


def test_arrays_stay_where_they_are_or_go_where_they_are_needed():
    array = np.arange(6.0).reshape(2, 3)
    assert devices.mover("cpu")(array) is array
    tensor = devices.mover(ELSEWHERE)(array)
    assert isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64
    assert to_numpy(array) is array
    np.testing.assert_array_equal(to_numpy(tensor), array)
    assert like(array, array) is array
    narrow = like(tensor, array.astype(np.float32))
    assert narrow.dtype == torch.float32 and narrow.device == tensor.device
    np.testing.assert_array_equal(narrow.numpy(), array)


def test_expected_failures_are_one_line():
    assert line(ValueError("eta = 0: must be positive")) == "error: eta = 0: must be positive"
    assert line(MemoryError()) == "error: MemoryError"
    assert isinstance(torch.OutOfMemoryError(), EXPECTED)
    assert not isinstance(KeyError("eta"), EXPECTED)
