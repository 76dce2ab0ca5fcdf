"""A job's surroundings: batches that fit, an observer's steps, the device; no result changes."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from linear_grokking.runtime import context, devices
from linear_grokking.runtime.arrays import like, to_numpy
from linear_grokking.runtime.checkpoints import NoCheckpoint
from linear_grokking.runtime.context import JobContext
from linear_grokking.runtime.memory import FittingBatches

# On "cpu" NumPy is at home; under another name of the same device torch is.
ELSEWHERE = "cpu:0"


def batches_of(surroundings, realizations):
    batches = []

    def work(batch):
        batches.append(list(batch))
        return ((k, 10 * k) for k in batch)

    assert list(surroundings.each(realizations, work)) == [(k, 10 * k) for k in realizations]
    return batches


def test_on_a_cpu_realizations_come_one_at_a_time():
    assert batches_of(JobContext(host_bytes=1.0), [3, 4, 7]) == [[3], [4], [7]]


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (10, [[3, 4, 7, 9], [10, 19]]),
        (9.9, [[3, 4], [7, 9], [10], [19]]),
        (4.9, [[3], [4], [7], [9], [10], [19]]),
        (0.1, [[3], [4], [7], [9], [10], [19]]),
    ],
)
def test_on_a_device_as_many_as_fit_on_the_host(share, expected):
    surroundings = JobContext(device=ELSEWHERE, host_bytes=context.BATCH_BYTES / share)
    assert batches_of(surroundings, [3, 4, 7, 9, 10, 19]) == expected


def test_batches_are_computed_only_when_asked_for():
    seen = []

    def work(batch):
        seen.append(batch)
        return [(batch[0], None)]

    for device in ("cpu", ELSEWHERE):
        found = JobContext(device=device, host_bytes=context.BATCH_BYTES).each([0, 1, 2], work)
        assert seen == []
        next(iter(found))
        assert seen == [[0]]
        seen.clear()


def test_a_realization_has_the_same_company_in_blocks_of_any_size():
    for largest in (1, 4, 5, 9, 13, 50, 70, 100, 499, 6000):
        batches = FittingBatches(ELSEWHERE, 1.0, largest)
        assert largest / 5 < batches.size <= largest
        whole = batches.cut(range(2000))
        for block in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
            if block >= batches.size:  # as the plan's blocks are
                blocks = (range(first, first + block) for first in range(0, 2000, block))
                assert [part for each in blocks for part in batches.cut(each)] == whole


def test_batches_are_smaller_for_good_where_memory_ran_out_and_have_sizes_as_before(caplog):
    sizes = []

    def work(batch):
        sizes.append(len(batch))
        if len(batch) > 7:
            raise torch.OutOfMemoryError
        yield from ((k, 2 * k) for k in batch)

    batches = FittingBatches(ELSEWHERE, 1.0, largest=50)
    assert list(batches.run(range(60), work)) == [(k, 2 * k) for k in range(60)]
    assert sizes == [50, 10, *[5] * 12]
    assert batches.size == 5
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory on cpu:0 with 50 realizations: 10 now",
        "out of memory on cpu:0 with 10 realizations: 5 now",
    ]


def test_what_was_found_before_memory_ran_out_comes_once():
    def work(batch):
        yield batch[1 % len(batch)], len(batch)
        if len(batch) > 5:
            raise torch.OutOfMemoryError
        yield from ((k, len(batch)) for k in batch if k != batch[1 % len(batch)])

    found = list(FittingBatches(ELSEWHERE, 1.0, largest=10).run(range(10), work))
    assert found[0] == (1, 10)
    assert sorted(found) == [(k, 10 if k == 1 else 5) for k in range(10)]


def test_other_errors_and_single_items_that_do_not_fit_are_passed_on():
    def full(batch):
        raise torch.OutOfMemoryError

    def broken(batch):
        raise ZeroDivisionError

    for work, error in ((full, torch.OutOfMemoryError), (broken, ZeroDivisionError)):
        with pytest.raises(error):
            list(FittingBatches(ELSEWHERE, 1.0, largest=4).run(range(4), work))


@pytest.fixture
def card(monkeypatch):
    """Stand in for a GPU of 1000 bytes, of which others use 100, and torch's cache grows."""
    state = {"reserved": 0, "allocated": 0}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (900 - state["reserved"], 1000))
    for name in state:
        monkeypatch.setattr(torch.cuda, f"memory_{name}", lambda _, name=name: state[name])
    return state


def test_a_gpu_holds_what_its_free_memory_and_torchs_cache_do(card):
    assert FittingBatches("cuda", 900 * 0.8 / 100, 1e9).size == 100
    assert FittingBatches("cuda", 900 * 0.8 / 99, 1e9).size == 50
    assert FittingBatches("cuda", 1.0, 10).size == 10
    assert FittingBatches("cuda", 1e9, 10).size == 1
    card.update(reserved=890, allocated=0)
    assert FittingBatches("cuda", 900 * 0.8 / 100, 1e9).size == 100
    card.update(reserved=890, allocated=450)
    assert FittingBatches("cuda", 900 * 0.8 / 100, 1e9).size == 50


def test_batches_do_not_shrink_while_torch_keeps_what_they_took(card):
    sizes = []

    def work(batch):
        sizes.append(len(batch))
        card.update(reserved=890, allocated=700)
        return ((k, None) for k in batch)

    surroundings = JobContext(device="cuda", host_bytes=1.0, device_bytes=900 * 0.8 / 100)
    assert len(list(surroundings.each(range(300), work))) == 300
    assert sizes == [100, 100, 100]


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


def test_a_device_multiplies_in_full_precision_whatever_it_was_told(monkeypatch):
    monkeypatch.setattr(devices, "gpu_present", lambda: True)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True
    devices.resolve("auto", computes_there=True)
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32


JOB_ON_TWO_CARDS = """
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock
torch = sys.modules["torch"] = MagicMock()
torch.cuda.device_count.return_value = 2
torch.cuda.get_device_properties = lambda card: SimpleNamespace(uuid=f"{sys.argv[1]}-{card}")
torch.cuda.set_device = lambda card: print(card, flush=True)
from linear_grokking.runtime import devices
devices.gpu_present = lambda: True
for _ in range(2):
    devices.resolve("auto", computes_there=True)
sys.stdin.read()
"""


def test_jobs_at_a_time_take_a_card_each_and_share_where_there_are_more(tmp_path):
    jobs = []

    def card(machine="here"):
        command = [sys.executable, "-c", JOB_ON_TWO_CARDS, machine]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        jobs.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        return int(jobs[-1].stdout.readline())

    try:
        assert [card(), card()] == [0, 1]
        assert card() in (0, 1)
        assert card("elsewhere") == 0
        jobs[0].kill()
        jobs[0].wait()
        assert card() == 0
    finally:
        for job in jobs:
            job.kill()
            job.communicate()


def test_torchs_own_variable_does_not_bring_tf32_back():
    code = (
        "import torch; from linear_grokking.runtime import devices;"
        "assert torch.backends.cuda.matmul.allow_tf32;"
        "devices.gpu_present = lambda: True;"
        "devices.resolve('cuda', computes_there=True);"
        "assert not torch.backends.cuda.matmul.allow_tf32"
    )
    environment = {**os.environ, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


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
