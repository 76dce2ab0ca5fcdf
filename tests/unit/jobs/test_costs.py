"""The cost model, positive and growing with size, and what jobs ask for by it."""

import math
from pathlib import Path

import pytest
from test_kinds import named

from linear_grokking.jobs.costs import CPU_GFLOPS, DRAW_SECONDS, GPU_CALL_SECONDS, Cost
from linear_grokking.jobs.kinds import KINDS, kind_of
from linear_grokking.jobs.resources import (
    BATCHES_MB,
    CONTEXT_MB,
    GPU_PROCESS_MB,
    GPU_START_SECONDS,
    PROCESS_MB,
    SNAKEMAKE_MB,
    START_SECONDS,
    batch_size,
    block_size,
    gpu_memory_mb,
    is_large,
    job_memory_mb,
    job_minutes,
    job_seconds,
)
from linear_grokking.runtime.memory import BATCH_BYTES, FittingBatches

SPECS = {
    "linear": {
        "measure": "dynamics", "model": "linear", "solver": "spectral",
        "d_in": 100, "d_out": 1, "n_train": 200, "n_gen": 100, "records": 50, "t_max": 1e5,
    },
    "spectra": {"measure": "grokking_times", "model": "linear", "solver": "bidiagonal",
                "n_train": 200, "d_in": 100},
    "two_layer": {
        "measure": "dynamics", "model": "two_layer", "solver": "gradient_flow",
        "activation": "tanh", "d_in": 100, "d_h": 20, "d_out": 2, "n_train": 200, "n_gen": 100,
        "records": 50, "t_max": 1e5, "eta": 0.01,
    },
    "logistic": {
        "measure": "dynamics", "model": "logistic", "solver": "gradient_flow",
        "loss": "cross_entropy", "dtype": "float32", "n_train": 200, "d": 100, "n_gen": 0,
        "records": 200, "t_max": 1e5,
    },
    "sets": {"measure": "separability", "model": "logistic", "solver": "newton",
             "n_train": 200, "d": 100, "margin": False},
    "two_point": {"measure": "dynamics", "model": "two_point", "solver": "exact_orbit"},
    "modular": {
        "measure": "dynamics", "model": "modular", "solver": "adamw", "p": 23, "n_train": 265,
        "d_h": 128, "records": 200, "t_max": 1000,
    },
}  # fmt: skip


def cost_of(spec):
    return kind_of(spec).cost(spec)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_costs_are_positive_and_finite(spec):
    cost = cost_of(spec)
    assert 0 < cost.seconds < math.inf
    assert 0 < cost.data_bytes < math.inf
    assert (cost.device_bytes > 0) or not kind_of(spec).on_gpu


def test_a_job_costs_its_realizations_and_what_comes_with_it():
    cost = Cost(
        host_seconds=2.0,
        core_seconds=3.0,
        device_seconds=0.5,
        device_calls=1e4,
        data_bytes=2e8,
        device_bytes=7e9,
    )
    assert job_seconds(cost, 10, gpu=False) == START_SECONDS + 50
    # What stays on the host, what the GPU does, and the calls of two batches of five.
    together = 25 + 2e4 * GPU_CALL_SECONDS
    assert job_seconds(cost, 10, gpu=True) == pytest.approx(GPU_START_SECONDS + together)
    assert job_seconds(cost, 9, gpu=True) == pytest.approx(GPU_START_SECONDS + together - 2.5)


@pytest.mark.parametrize("data_bytes", [1e5, 3e5, 1.5e7, 1e8, 2e8, 3e8, 2e9])
def test_batches_are_those_of_a_job(data_bytes):
    largest = BATCH_BYTES / data_bytes
    assert batch_size(Cost(1.0, data_bytes)) == FittingBatches("cpu", 1.0, largest).size


def test_memory_of_a_job_is_that_of_a_realization_or_of_batches():
    cost = Cost(2.0, data_bytes=4e9, device_bytes=7e9)
    assert job_memory_mb(cost, gpu=False) == SNAKEMAKE_MB + PROCESS_MB + 6000
    assert job_memory_mb(cost, gpu=True) == SNAKEMAKE_MB + GPU_PROCESS_MB + 6000
    small = Cost(2.0, data_bytes=1e6)
    assert job_memory_mb(small, gpu=True) == SNAKEMAKE_MB + GPU_PROCESS_MB + BATCHES_MB
    assert gpu_memory_mb(cost) == CONTEXT_MB + 7000


@pytest.mark.parametrize("seconds", [0.1, 60, 3600, 1e6])
def test_a_job_asks_for_three_times_what_is_expected(seconds):
    assert 3 * seconds <= 60 * job_minutes(seconds) <= 700 + 3 * seconds


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("linear", "n_train"),
        ("linear", "d_in"),
        ("linear", "n_gen"),
        ("spectra", "d_in"),
        ("two_layer", "d_h"),
        ("two_layer", "n_train"),
        ("logistic", "n_train"),
        ("logistic", "d"),
        ("sets", "n_train"),
        ("sets", "d"),
        ("modular", "n_train"),
        ("modular", "d_h"),
    ],
)
def test_costs_grow_with_sizes(name, key):
    small, large = SPECS[name], SPECS[name] | {key: 20 * SPECS[name][key]}
    assert cost_of(large).seconds > cost_of(small).seconds
    assert cost_of(large).data_bytes > cost_of(small).data_bytes
    assert block_size(cost_of(large), 10, gpu=False) <= block_size(cost_of(small), 10, gpu=False)


@pytest.mark.parametrize("name", ["linear", "two_layer", "logistic"])
def test_literal_steps_cost_by_their_number(name):
    literal = cost_of(SPECS[name] | {"solver": "gradient_descent"})
    longer = cost_of(SPECS[name] | {"solver": "gradient_descent", "t_max": 1e7})
    assert longer.seconds > 50 * literal.seconds
    assert longer.device_seconds > 50 * literal.device_seconds > 0
    assert longer.device_calls > 50 * literal.device_calls > 0


def test_what_is_done_on_the_host_is_no_faster_for_a_gpu():
    n, d = 2400, 1320
    sets = SPECS["sets"] | {"n_train": n, "d": d, "margin": True}
    drawing = DRAW_SECONDS * n * d
    margin = 5e-9 * n * d**2 / CPU_GFLOPS  # the factors alone
    assert cost_of(sets | {"margin": False}).host_seconds == pytest.approx(drawing)
    assert cost_of(sets).host_seconds > drawing + margin
    assert job_seconds(cost_of(sets), 100, gpu=True) > 100 * (drawing + margin)
    # A flow's data are drawn on the host, and its gradients taken on the GPU.
    flow = cost_of(SPECS["logistic"] | {"n_train": n, "d": d})
    assert drawing <= flow.host_seconds < 1.2 * drawing
    assert flow.device_seconds < flow.core_seconds / 10


def test_kinds_that_compute_on_the_host_cost_a_gpu_nothing():
    for spec in MEASURED_SPECS:
        cost = cost_of(spec)
        there = cost.core_seconds, cost.device_seconds, cost.device_calls, cost.device_bytes
        if kind_of(spec).on_gpu:
            assert min(there) > 0
        else:
            assert there == (0, 0, 0, 0)


def test_a_margin_counts_where_a_set_may_have_one():
    asked = [SPECS["sets"] | {"n_train": 400, "d": d, "margin": True} for d in (150, 170, 230)]
    extra = [cost_of(each).seconds - cost_of(each | {"margin": False}).seconds for each in asked]
    assert extra[0] == 0 and min(extra[1:]) > 0


def test_a_margin_at_the_papers_size_takes_as_long_with_a_gpu():
    sets = SPECS["sets"] | {"n_train": 40_000, "d": 20_800}
    asked, alone = cost_of(sets | {"margin": True}), cost_of(sets)
    extra = asked.seconds - alone.seconds
    assert extra > 1000
    assert job_seconds(asked, 1, gpu=True) - job_seconds(alone, 1, gpu=True) == pytest.approx(extra)
    assert asked.data_bytes > 16e9


@pytest.mark.parametrize(("name", "size"), [("logistic", 4), ("sets", 8)])
def test_a_gpu_holds_at_least_the_inputs(name, size):
    n, d = 4000, 2000
    bytes_there = cost_of(SPECS[name] | {"n_train": n, "d": d}).device_bytes
    # And not many times as much.
    assert size * n * d <= bytes_there <= 6 * size * n * d


@pytest.mark.parametrize("name", ["linear", "logistic"])
def test_fast_solvers_cost_the_same_to_any_time(name):
    assert cost_of(SPECS[name]) == cost_of(SPECS[name] | {"t_max": 1e7})


def test_decay_costs_its_stiffness_or_the_way_to_its_minimum():
    flow = {**SPECS["logistic"], "eta": 0.01}
    decaying = {**flow, "gamma": 1e-3, "decay": "weights"}
    plain = cost_of(flow).core_seconds
    assert cost_of({**flow, "gamma": 1e-3, "decay": "all"}).core_seconds > plain
    early, late = (cost_of({**decaying, "t_max": t}).core_seconds - plain for t in (1e8, 1e10))
    assert late == pytest.approx(10.0 * early) and early > 0


def test_margins_cost_more():
    with_margin = SPECS["sets"] | {"margin": True}
    assert cost_of(with_margin).seconds > cost_of(SPECS["sets"]).seconds


SETS = SPECS["sets"] | {"n_train": 2400}
FLOW = SPECS["logistic"] | {"n_train": 400, "d": 192}
LARGE = FLOW | {"n_train": 4000, "d": 1920}
DESCENT = FLOW | {"solver": "gradient_descent"}
ADAM = FLOW | {"solver": "adam", "dtype": "float64"}
OUTPUTS = {"measure": "outputs"}
LINEAR = SPECS["linear"] | {"d_in": 1000, "n_train": 1111, "n_gen": 10_000, "records": 120}
LITERAL = {"solver": "gradient_descent", "t_max": 600, "records": 50}
WITH_ADAM = {"solver": "adam"}
BATCHES = LINEAR | {"solver": "sgd", "n_gen": 2000, "t_max": 3000}
SPECTRA = SPECS["spectra"]
TWO_LAYERS = SPECS["two_layer"] | {
    "activation": "identity", "d_in": 1000, "d_h": 200, "d_out": 5, "n_train": 1111,
    "n_gen": 10_000, "records": 200, "t_max": 2e5,
}  # fmt: skip
TANH = TWO_LAYERS | {"d_h": 50, "activation": "tanh"}
DECIDED = {"labels": "threshold", "label_fraction": 0.9}
DEFERRED = FLOW | {"data": "deferred", "n_train": 10_000, "d": 4800, "sigma": 5.0, "t_max": 1e7}
DEFERRED |= {"dtype": "float64"}
TWO_GAUSSIANS = {"law": "two_gaussians", "d": 1600, "n_gen": 4000}

# CPU seconds per realization and MB of the process, of jobs on one core of a Xeon or an EPYC;
# `python -m benchmarks workflow` measures them anew.
MEASURED = [
    (SETS | {"d": 1152}, 0.068, 166),
    (SETS | {"d": 1200}, 0.45, 173),
    (SETS | {"n_train": 400, "d": 192}, 0.0044, 112),
    (SETS | {"d": 1320, "margin": True}, 0.68, 210),
    (SETS | {"n_train": 4800, "d": 2640, "margin": True}, 4.1, 475),
    (SETS | {"n_train": 400, "d": 230, "margin": True}, 0.0138, 115),
    (SETS | {"n_train": 400, "d": 100, "margin": True}, 0.0015, 110),
    (SETS | {"n_train": 800, "d": 560, "box_margin": True}, 0.3, 146),
    (FLOW, 0.016, 195),
    (FLOW | {"n_train": 50, "d": 20}, 0.007, 281),
    (FLOW | {"eta": 0.01, "gamma": 1e-3, "decay": "weights", "t_max": 3e9}, 0.064, 195),
    (FLOW | {"eta": 0.01, "gamma": 1e-4, "decay": "all", "t_max": 3e9}, 0.025, 195),
    (LARGE, 1.16, 195),
    (LARGE | TWO_GAUSSIANS, 1.4, 327),
    (LARGE | OUTPUTS | {"records": 2}, 1.4, 280),
    (DESCENT | {"n_train": 40, "d": 16, "t_max": 1e6}, 0.94, 196),
    (DESCENT | {"t_max": 2e4}, 0.23, 197),
    (DESCENT | {"n_train": 4000, "d": 1920, "t_max": 1e3}, 2.65, 277),
    (DESCENT | OUTPUTS | {"t_max": 2e4}, 0.23, 253),
    (ADAM | {"n_train": 1000, "d": 480, "t_max": 3000}, 0.38, 250),
    (ADAM | {"n_train": 4000, "d": 1920, "t_max": 500}, 2.9, 335),
    (ADAM | {"n_train": 100, "d": 48, "t_max": 1e4}, 0.038, 252),
    (ADAM | OUTPUTS | {"n_train": 1000, "d": 480, "t_max": 3000}, 0.39, 252),
    (LARGE | DECIDED, 1.01, 256),
    (DEFERRED, 0.7, 150),
    (DEFERRED | OUTPUTS, 0.71, 168),
    (DEFERRED | LITERAL | {"t_max": 500}, 0.26, 108),
    (DEFERRED | LITERAL | OUTPUTS | {"t_max": 500}, 0.26, 133),
    (DESCENT | DECIDED | {"t_max": 2e4}, 0.25, 205),
    (ADAM | DECIDED | {"n_train": 1000, "d": 480, "t_max": 3000}, 0.35, 211),
    (LINEAR, 0.37, 298),
    (LINEAR | {"d_out": 100}, 2.9, 369),
    (LINEAR | {"n_train": 625}, 0.18, 326),
    (LINEAR | {"n_train": 5000}, 0.47, 420),
    (LINEAR | {"solver": "momentum"}, 0.4, 300),
    (LINEAR | {"solver": "grokfast"}, 0.4, 300),
    (LINEAR | {"solver": "conjugate_gradients"}, 0.4, 300),
    (BATCHES | {"batch_size": 16}, 0.2, 150),
    (BATCHES | {"batch_size": 256}, 0.4, 150),
    (LINEAR | LITERAL, 0.45, 182),
    (LINEAR | LITERAL | {"d_out": 50}, 7.2, 185),
    (LINEAR | LITERAL | WITH_ADAM, 0.59, 184),
    (LINEAR | LITERAL | WITH_ADAM | {"d_out": 50}, 6.95, 187),
    (SPECTRA | {"n_train": 50, "d_in": 50}, 9e-5, 232),
    (SPECTRA | {"n_train": 1111, "d_in": 1000}, 0.0144, 208),
    (SPECTRA | {"n_train": 5000, "d_in": 4000}, 0.22, 203),
    (TWO_LAYERS, 4.0, 290),
    (TANH, 6.5, 255),
    (TWO_LAYERS | LITERAL, 1.9, 191),
    (TANH | LITERAL, 7.4, 185),
    (TANH | LITERAL | {"d_h": 200, "t_max": 200, "records": 20}, 7.5, 232),
    (TWO_LAYERS | LITERAL | WITH_ADAM, 2.95, 196),
    (TANH | LITERAL | WITH_ADAM, 7.03, 188),
    (SPECS["two_point"], 0.1, 162),
    (SPECS["modular"], 0.31, 88),
    (SPECS["modular"] | {"p": 7, "n_train": 24, "d_h": 16, "t_max": 5000}, 0.15, 88),
    (SPECS["modular"] | {"p": 97, "n_train": 4700, "t_max": 20, "records": 10}, 0.67, 117),
]
MEASURED_SPECS = [spec for spec, _, _ in MEASURED]


@pytest.mark.parametrize(("spec", "seconds", "memory"), MEASURED)
def test_measured_costs_within_a_factor_two(spec, seconds, memory):
    assert seconds / 2 < cost_of(spec).seconds < 2 * seconds
    asked = job_memory_mb(cost_of(spec), gpu=False)
    assert memory < asked
    # Every job is given the room of one that loads Numba; those that do not leave half of it.
    assert memory / 2 < asked - SNAKEMAKE_MB < 2 * max(memory, PROCESS_MB)


def test_every_kind_was_measured():
    assert [named(kind) for kind in KINDS if kind not in map(kind_of, MEASURED_SPECS)] == []


def test_the_benchmark_measures_every_kind(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[3])
    from benchmarks import workflow

    costed = [kind_of(workflow._spec(**each)) for each in workflow.COSTED.values()]
    assert [named(kind) for kind in KINDS if kind not in costed] == []


@pytest.mark.parametrize("minutes", [1e-6, 0.1, 1, 10, 1e6])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_blocks_are_round_and_fill_the_time(spec, minutes):
    size = block_size(cost_of(spec), minutes, gpu=False)
    assert f"{size:.0e}"[0] in "125"
    assert size == float(f"{size:.0e}")
    seconds = size * cost_of(spec).seconds
    assert size == 1 or 60 * minutes / 2.6 < seconds <= 60 * minutes


def test_only_large_realizations_take_all_cores():
    assert not is_large(cost_of(SPECS["logistic"]))
    assert is_large(cost_of(SPECS["logistic"] | {"n_train": 40_000, "d": 19_200}))


def test_blocks_for_a_gpu_fill_the_time_there():
    for cost in map(cost_of, MEASURED_SPECS[:4]):
        size = block_size(cost, 10, gpu=True)
        assert size > block_size(cost, 10, gpu=False) or cost.host_seconds > cost.core_seconds
    for cost in map(cost_of, MEASURED_SPECS):
        size = block_size(cost, 10, gpu=True)
        assert 600 / 2.6 < job_seconds(cost, size, gpu=True) - GPU_START_SECONDS <= 600
