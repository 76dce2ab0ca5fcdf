"""The cost model: positive, growing with size, and round block sizes."""

import math

import pytest

from linear_grokking.jobs.costs import (
    BATCHES_MB,
    CONTEXT_MB,
    GPU_PROCESS_MB,
    GPU_SPEEDUP,
    PROCESS_MB,
    SNAKEMAKE_MB,
    START_SECONDS,
    Cost,
    block_size,
    gpu_memory_mb,
    is_large,
    job_memory_mb,
    job_seconds,
)
from linear_grokking.jobs.kinds import kind_of

SPECS = {
    "linear": {
        "measure": "dynamics", "model": "linear", "solver": "spectral",
        "d_in": 100, "d_out": 1, "n_train": 200, "n_gen": 100, "records": 50, "t_max": 1e5,
    },
    "two_layer": {
        "measure": "dynamics", "model": "two_layer", "solver": "gradient_flow",
        "activation": "tanh", "d_in": 100, "d_h": 20, "d_out": 2, "n_train": 200, "n_gen": 100,
        "records": 50, "t_max": 1e5, "eta": 0.01,
    },
    "logistic": {
        "measure": "dynamics", "model": "logistic", "solver": "gradient_flow",
        "loss": "cross_entropy", "dtype": "float32", "n_train": 200, "d": 100, "t_max": 1e5,
    },
    "sets": {"measure": "separability", "model": "logistic", "solver": "newton",
             "n_train": 200, "d": 100, "margin": False},
    "two_point": {"measure": "dynamics", "model": "two_point", "solver": "exact_orbit"},
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
    cost = Cost(seconds=2.0, data_bytes=4e9, device_bytes=7e9)
    assert job_seconds(cost, 10, gpu=False) == START_SECONDS + 20
    assert job_seconds(cost, 10, gpu=True) == START_SECONDS + 20 / GPU_SPEEDUP
    assert job_memory_mb(cost, gpu=False) == SNAKEMAKE_MB + PROCESS_MB + 6000
    assert job_memory_mb(cost, gpu=True) == SNAKEMAKE_MB + GPU_PROCESS_MB + 6000
    small = Cost(seconds=2.0, data_bytes=1e6)
    assert job_memory_mb(small, gpu=True) == SNAKEMAKE_MB + GPU_PROCESS_MB + BATCHES_MB
    assert gpu_memory_mb(cost) == CONTEXT_MB + 7000


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("linear", "n_train"),
        ("linear", "d_in"),
        ("linear", "n_gen"),
        ("two_layer", "d_h"),
        ("two_layer", "n_train"),
        ("logistic", "n_train"),
        ("logistic", "d"),
        ("sets", "n_train"),
        ("sets", "d"),
    ],
)
def test_costs_grow_with_sizes(name, key):
    small, large = SPECS[name], SPECS[name] | {key: 20 * SPECS[name][key]}
    assert cost_of(large).seconds > cost_of(small).seconds
    assert cost_of(large).data_bytes > cost_of(small).data_bytes
    assert block_size(cost_of(large), 10, gpu=False) <= block_size(cost_of(small), 10, gpu=False)


@pytest.mark.parametrize("name", ["linear", "two_layer", "logistic"])
def test_literal_steps_cost_by_their_number(name):
    literal = SPECS[name] | {"solver": "gradient_descent"}
    longer = literal | {"t_max": 1e7}
    assert cost_of(longer).seconds > 50 * cost_of(literal).seconds


@pytest.mark.parametrize(("name", "size"), [("logistic", 4), ("sets", 8)])
def test_a_gpu_holds_at_least_the_inputs(name, size):
    n, d = 4000, 2000
    bytes_there = cost_of(SPECS[name] | {"n_train": n, "d": d}).device_bytes
    # And not many times as much.
    assert size * n * d <= bytes_there <= 6 * size * n * d


@pytest.mark.parametrize("name", ["linear", "logistic"])
def test_fast_solvers_cost_the_same_to_any_time(name):
    assert cost_of(SPECS[name]) == cost_of(SPECS[name] | {"t_max": 1e7})


def test_margins_cost_more():
    with_margin = SPECS["sets"] | {"margin": True}
    assert cost_of(with_margin).seconds > cost_of(SPECS["sets"]).seconds


SETS = SPECS["sets"] | {"n_train": 2400}
FLOW = SPECS["logistic"] | {"n_train": 400, "d": 192}
DESCENT = FLOW | {"solver": "gradient_descent"}
LINEAR = SPECS["linear"] | {"d_in": 1000, "n_train": 1111, "n_gen": 10_000, "records": 120}
TWO_LAYERS = SPECS["two_layer"] | {
    "activation": "identity", "d_in": 1000, "d_h": 200, "d_out": 5, "n_train": 1111,
    "n_gen": 10_000, "records": 200, "t_max": 2e5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "seconds", "memory"),
    [
        (SETS | {"d": 1152}, 0.31, 201),
        (SETS | {"n_train": 400, "d": 192}, 0.0047, 192),
        (SETS | {"d": 1320, "margin": True}, 3.0, 281),
        (FLOW, 0.027, 195),
        (FLOW | {"n_train": 4000, "d": 1920}, 1.16, 195),
        (DESCENT | {"n_train": 40, "d": 16, "t_max": 1e6}, 1.4, 196),
        (DESCENT | {"t_max": 2e4}, 0.35, 197),
        (LINEAR, 0.43, 298),
        (LINEAR | {"d_out": 100}, 2.6, 369),
        (TWO_LAYERS, 5.1, 290),
        (TWO_LAYERS | {"d_h": 50, "activation": "tanh"}, 6.7, 255),
    ],
)
def test_measured_costs_within_a_factor_two(spec, seconds, memory):
    # CPU seconds per realization and MB of the process, of jobs on one core of a Xeon;
    # `python -m benchmarks workflow` measures them anew.
    assert seconds / 2 < cost_of(spec).seconds < 2 * seconds
    process = job_memory_mb(cost_of(spec), gpu=False) - SNAKEMAKE_MB
    assert memory / 2 < process < 2 * memory


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


def test_a_gpu_takes_larger_blocks():
    cost = cost_of(SPECS["logistic"])
    assert block_size(cost, 10, gpu=True) > block_size(cost, 10, gpu=False)
