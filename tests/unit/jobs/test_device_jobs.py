"""Every kind that computes on a GPU, on a device that is not there, and on a card where one is."""

import os
import subprocess
import sys
from itertools import cycle, pairwise, product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from far_device import NAME, FarDevice

from linear_grokking.data.laws import LAWS
from linear_grokking.jobs.kinds import KINDS, kind_of
from linear_grokking.models.losses import LOSSES
from linear_grokking.results.storage import read_table
from linear_grokking.runtime import checkpoints, devices
from linear_grokking.runtime.checkpoints import Interrupted
from linear_grokking.runtime.context import JobContext
from linear_grokking.runtime.memory import BATCH_BYTES
from linear_grokking.solvers import records
from linear_grokking.solvers.gradient_descent import SingleSteps
from linear_grokking.solvers.log_flow.rkc import RKC2, System
from linear_grokking.solvers.separability import batched, verdict
from linear_grokking.workflow.plan import read
from linear_grokking.workflow.steps.block import train_block

# torch's CPU under a name that NumPy's path does not go by: the path of a GPU.
HOST = "cpu:0"
OF_LAWS = {
    "gaussian": {},
    "anisotropic": {"condition": 4.0},
    "mixture": {"mixture_mean": 2.0},
    "two_gaussians": {"mu": 0.2, "sigma_a": 0.5, "bias": False},
    "rademacher": {"n_gen": 12},
    "uniform": {"n_gen": 12},
    "student_t": {"degrees_of_freedom": 3.0, "n_gen": 12},
    "elliptical": {"radius_ratio": 3.0, "far_share": 0.2},
    "tanh_features": {"latent_dim": 5, "n_gen": 12},
    "relu_features": {"latent_dim": 5, "n_gen": 12},
}
SOLVERS = {
    "gradient_flow": {"t_max": 1e4, "gd_steps": 5},
    "gradient_descent": {"t_max": 20.0},
    "adam": {"t_max": 20.0},
}
LOGISTIC = {"model": "logistic", "n_train": 20, "d": 9, "sigma": 2.0, "records": 6}
SEPARABILITY = {"model": "logistic", "n_train": 20, "d": 9, "measure": "separability"}
TEACHER_STUDENT = {"d_in": 8, "n_train": 10, "d_out": 2, "n_gen": 15, "records": 6, "t_max": 20.0}
LINEAR = {**TEACHER_STUDENT, "model": "linear", "solver": "gradient_descent"}
TWO_LAYER = {**TEACHER_STUDENT, "model": "two_layer", "solver": "gradient_descent", "d_h": 5}
MODULAR = {"model": "modular", "p": 5, "d_h": 8, "records": 6, "t_max": 20.0}
OF_TEACHER_STUDENT = [
    LINEAR,
    {**LINEAR, "noise": 0.1, "gamma": 0.05},
    {**TWO_LAYER, "activation": "identity", "gamma": 0.05},
    {**TWO_LAYER, "activation": "tanh"},
    {**LINEAR, "solver": "adam", "noise": 0.1},
    {**TWO_LAYER, "solver": "adam", "activation": "identity"},
    {**TWO_LAYER, "solver": "adam", "activation": "tanh"},
]


def logistic_cases():
    """Yield every solver with each law, loss, and what else can be chosen of the model."""
    flow, *literal = ({**LOGISTIC, "solver": solver, **more} for solver, more in SOLVERS.items())
    for case in (flow, *literal):
        for (law, more), loss in zip(OF_LAWS.items(), cycle(LOSSES), strict=False):
            yield {**case, "law": law, **more, "loss": loss}
        yield {**case, "bias": False, "n_gen": 12}
        yield {**case, "bias": False, "loss": "exponential"}
        yield {**case, "dtype": "float64", "n_gen": 12, "loss": "exponential"}
        yield {**case, "label_fraction": 0.7}
        yield {**case, "label_fraction": 0.7, "labels": "threshold"}
        if case["solver"] != "adam":
            yield {**case, "gamma": 0.05, "decay": "weights"}
            yield {**case, "gamma": 0.05, "label_fraction": 0.7, "labels": "threshold"}
    for case in (flow, *literal):
        yield {**case, "measure": "outputs"}
    for (law, more), loss in product(OF_LAWS.items(), LOSSES):
        yield {**literal[0], "law": law, **more, "loss": loss}


def separability_cases():
    """Yield each law; its sets have no bias, and need no fresh inputs."""
    for law, more in OF_LAWS.items():
        own = {key: value for key, value in more.items() if key not in ("bias", "n_gen")}
        yield {**SEPARABILITY, "law": law, **own, "margin": True}


CASES = [
    *logistic_cases(),
    *separability_cases(),
    {**SEPARABILITY, "d": 13, "box_margin": True},
    *OF_TEACHER_STUDENT,
    MODULAR,
]


def spec_of(experiment):
    config = read({"seed": 3, "experiments": {"e": experiment}, "figures": {}})
    (point,) = config.experiments["e"].grid(config.seed)
    return point.spec


def name_of(case):
    of_solver = SOLVERS.get(case.get("solver"), {})
    plain = {**LOGISTIC, **SEPARABILITY, **TEACHER_STUDENT, **of_solver, "model": "", "measure": ""}
    changed = [f"{k}={v}" for k, v in case.items() if k != "solver" and plain.get(k) != v]
    return " ".join([case["model"], case.get("solver", "newton"), *changed])


def compute(case, device, realizations=range(4), **context):
    spec = spec_of(case)
    return dict(kind_of(spec).compute(spec, list(realizations), JobContext(device, **context)))


def compare(one, other, rtol=0.0, atol=0.0, of_samples=0.11):
    assert one.keys() == other.keys()
    for realization, columns in one.items():
        assert columns.keys() == other[realization].keys()
        for name, values in columns.items():
            found = other[realization][name]
            if values.dtype.kind != "f" or not rtol:
                np.testing.assert_array_equal(found, values, err_msg=name)
                continue
            # A sample at the threshold may count on either side.
            least = of_samples if "accuracy" in name or "fraction" in name else atol
            np.testing.assert_allclose(found, values, rtol=rtol, atol=least, err_msg=name)


def test_every_law_loss_and_kind_is_tried():
    assert OF_LAWS.keys() == LAWS.keys()
    tried = {id(kind_of(spec_of(case))) for case in CASES}
    assert all((id(kind) in tried) == kind.on_gpu for kind in KINDS)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_device_finds_what_the_host_finds(case):
    expected = compute(case, HOST)
    with FarDevice() as device:
        found = compute(case, NAME)
    compare(expected, found)
    assert device.calls
    assert device.used == 0  # nothing is left there


def on_a_gpu(test):
    """Mark a test that runs where torch sees a GPU."""
    skipped = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    return pytest.mark.gpu(skipped(test))


@on_a_gpu
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_gpu_finds_what_the_host_finds(case):
    single = case["model"] == "logistic" and case.get("dtype") != "float64"
    compare(compute(case, HOST), compute(case, "cuda"), rtol=1e-3 if single else 1e-6, atol=1e-6)


def watch(monkeypatch, device, owner, name, *, may_wait=True):
    """Return a list that will hold waits and uploads of each call of a function."""
    function, seen = getattr(owner, name), []

    def watched(*args, **kwargs):
        before = device.waits, device.uploads
        device.may_wait = may_wait
        found = function(*args, **kwargs)
        device.may_wait = True
        seen.append((device.waits - before[0], device.uploads - before[1]))
        return found

    monkeypatch.setattr(owner, name, watched)
    return seen


LITERAL = [case for case in CASES if kind_of(spec_of(case)).literal]
WATCHED = [*LITERAL[: -len(OF_TEACHER_STUDENT) : 8], *OF_TEACHER_STUDENT]


@pytest.mark.parametrize("case", WATCHED, ids=name_of)
def test_literal_steps_do_not_wait(monkeypatch, case):
    case = {**case, "t_max": 60.0}
    with FarDevice() as device:
        steps = watch(monkeypatch, device, SingleSteps, "advance", may_wait=False)
        recorded = watch(monkeypatch, device, records.Records, "add")
        compute(case, NAME)
    assert steps == [(0, 0)] * 60
    # Of the logistic model conformal time comes apart.
    assert set(recorded) == {(2 if case["model"] == "logistic" else 1, 0)}
    # Besides, what is asked of the data at first, and read at the end.
    assert device.waits <= sum(waits for waits, _ in recorded) + 6


@on_a_gpu
@pytest.mark.parametrize("case", WATCHED, ids=name_of)
def test_literal_steps_on_a_gpu_do_not_wait(monkeypatch, case):
    advance = SingleSteps.advance

    def advance_without_waits(*args):
        torch.cuda.set_sync_debug_mode("error")
        try:
            advance(*args)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(SingleSteps, "advance", advance_without_waits)
    compute(case, "cuda")


@on_a_gpu
def test_products_on_a_gpu_are_of_full_precision():
    code = (
        "import torch; from linear_grokking.runtime.devices import resolve;"
        "device = resolve('cuda', computes_there=True);"
        "x = torch.randn(512, 512, dtype=torch.float64, device=device);"
        "error = (x.float() @ x.float()).double() - x.float().double() @ x.float().double();"
        "assert error.abs().max() < 1e-3"  # TF32: 5e-2
    )
    tf32 = dict.fromkeys(("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"), "1")
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **tf32}, check=True)


@pytest.mark.parametrize("changes", [{}, {"bias": False, "n_gen": 12}])
def test_gradients_of_the_flow_do_not_wait(monkeypatch, changes):
    case = {**LOGISTIC, **SOLVERS["gradient_flow"], **changes}
    with FarDevice() as device:
        stages = watch(monkeypatch, device, System, "take_stages", may_wait=False)
        steps = watch(monkeypatch, device, RKC2, "advance")
        compute(case, NAME)
    assert len(steps) > 10
    assert set(stages) == {(0, 1)}  # the weights of all stages of a step
    # What step control asks for: curvature and error at each attempt, and now and then both
    # bands of Lanczos' matrix; besides it, whether a minimum is reached.
    attempts, estimates = len(stages), 2 + len(steps) // 20 + len(stages) - len(steps)
    assert sum(waits for waits, _ in steps) <= 2 * attempts + 2 * estimates + 1
    assert device.waits <= sum(waits for waits, _ in steps) + len(steps) + 10


def test_newton_steps_wait_once(monkeypatch):
    with FarDevice() as device:
        steps = watch(monkeypatch, device, batched, "_newton_step")
        compute(SEPARABILITY, NAME, range(32))
    assert len(steps) > 5 and set(steps) == {(1, 0)}
    # Results come as half of the rest is decided.
    assert device.waits <= len(steps) + 1 + np.log2(32)
    assert device.uploads == 1


SIZES = {
    "logistic": {"n_train": 300, "d": 140},
    "linear": {"n_train": 150, "d_in": 100, "n_gen": 300},
    "two_layer": {"n_train": 150, "d_in": 100, "n_gen": 300, "d_h": 20},
    "modular": {"p": 23, "d_h": 128},
}


@pytest.mark.parametrize(
    "case",
    [
        SEPARABILITY,
        *(LOGISTIC | {"solver": solver} for solver in SOLVERS),
        *OF_TEACHER_STUDENT,
        MODULAR,
    ],
    ids=name_of,
)
def test_a_device_holds_what_the_cost_model_says(case):
    case = {**case, **SIZES[case["model"]]}
    spec = spec_of(case if "measure" in case else {**case, "t_max": 10.0})
    with FarDevice() as device:
        list(kind_of(spec).compute(spec, list(range(8)), JobContext(NAME)))
    assert device.peak <= 8 * kind_of(spec).cost(spec).device_bytes


@pytest.mark.parametrize("case", [SEPARABILITY, LOGISTIC | SOLVERS["adam"], LINEAR], ids=name_of)
def test_a_full_device_gets_smaller_batches_and_says_so(case, caplog):
    with FarDevice() as device:
        expected = compute(case, NAME, range(8))
    with FarDevice(memory=0.6 * device.peak) as device:
        found = compute(case, NAME, range(8))
    compare(expected, found, rtol=1e-9)
    (record,) = caplog.records
    assert record.getMessage() == "out of memory on meta with 8 realizations: 1 now"
    assert device.used == 0


CUTS = [[range(15)], [range(5), range(5, 15)], [[*range(5), *range(10, 15)]]]


@pytest.mark.parametrize("case", [CASES[0], LITERAL[0], SEPARABILITY, LINEAR], ids=name_of)
def test_jobs_of_any_size_and_resumed_ones_find_the_same(case):
    fives = {"host_bytes": BATCH_BYTES / 7}
    first, *others = (
        {k: found for job in jobs for k, found in compute(case, HOST, job, **fives).items()}
        for jobs in CUTS
    )
    for other in others:
        compare({realization: first[realization] for realization in sorted(other)}, other)


FLOWS = [case for case in CASES if case.get("solver") == "gradient_flow"]


@pytest.mark.parametrize(
    ("case", "rtol"),
    [
        # Expectations of the exponential loss amplify what its weights differ by.
        *((flow, 3e-3 if flow.get("loss") == "exponential" else 3e-4) for flow in FLOWS[2::3]),
        *((case, 1e-8) for case in (LITERAL[0], SEPARABILITY, *OF_TEACHER_STUDENT, MODULAR)),
        (LOGISTIC | {"solver": "adam", **SOLVERS["adam"]}, 1e-8),
    ],
    ids=lambda value: name_of(value) if isinstance(value, dict) else "",
)
def test_in_other_company_realizations_agree_to_the_solvers_tolerance(case, rtol):
    first, other = (compute(case, HOST, realizations) for realizations in (range(7), range(3, 7)))
    compare({realization: first[realization] for realization in other}, other, rtol, 1e-6, 1e-4)


def test_rounding_moves_late_losses_of_modular_addition_but_not_when_nets_generalize():
    case = {**MODULAR, "p": 13, "d_h": 64, "train_fraction": 0.85, "records": 200, "t_max": 600.0}
    one_by_one, together = compute(case, "cpu"), compute(case, HOST)
    for realization, columns in one_by_one.items():
        other = together[realization]
        at, there = (each["step"][each["gen_accuracy"] >= 0.95][0] for each in (columns, other))
        assert at == pytest.approx(there, rel=0.02)
        assert not np.allclose(columns["train_loss"], other["train_loss"], rtol=0.1, atol=0.0)


@pytest.fixture
def margins(monkeypatch):
    """Count margins; the one of number ``stop_at`` is where the job is asked to stop."""
    hard_margin = verdict.hard_margin
    counted = SimpleNamespace(done=0, stop_at=None)

    def counting(points):
        counted.done += 1
        if counted.done == counted.stop_at:
            checkpoints._stop_requested.set()
        return hard_margin(points)

    monkeypatch.setattr(verdict, "hard_margin", counting)
    return counted


MARGINS = {**SEPARABILITY, "d": 16, "margin": True}


def test_margins_are_handed_over_one_by_one(margins):
    spec = spec_of(MARGINS)
    with FarDevice():
        counts = [margins.done for _ in kind_of(spec).compute(spec, range(8), JobContext(NAME))]
    assert counts[-1] >= 5
    assert all(later - earlier <= 1 for earlier, later in pairwise([0, *counts]))


def test_a_stopped_job_on_a_device_keeps_every_margin(margins, monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "resolve", lambda *_, **__: NAME)
    request = {"spec": spec_of(MARGINS), "block": "0-7"}
    whole, resumed = tmp_path / "whole.parquet", tmp_path / "resumed.parquet"
    with FarDevice():
        train_block(request, [whole], device="cuda", threads=1)
        of_all, margins.done, margins.stop_at = margins.done, 0, 3
        with pytest.raises(Interrupted):
            train_block(request, [resumed], device="cuda", threads=1)
        assert margins.done == 3
        train_block(request, [resumed], device="cuda", threads=1)
    assert margins.done == of_all  # none was computed twice
    one, other = (read_table(path) for path in (whole, resumed))
    assert one.equals(other)
