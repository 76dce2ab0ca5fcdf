"""The cost model: positive, growing with size, and round block sizes."""

import math

import pytest

from linear_grokking.costs import (
    SNAKEMAKE_MB,
    block_size,
    gpu_memory_mb,
    is_large,
    job_memory_mb,
    job_seconds,
    realization_cost,
)

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
        "dtype": "float32", "n_train": 200, "d": 100, "t_max": 1e5,
    },
    "sets": {"measure": "separability", "model": "logistic", "solver": "newton",
             "n_train": 200, "d": 100, "margin": False},
    "two_point": {"measure": "dynamics", "model": "two_point", "solver": "exact_orbit"},
}  # fmt: skip


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_costs_are_positive_and_finite(spec):
    cost = realization_cost(spec)
    assert 0 < cost.seconds < math.inf
    assert 0 < cost.data_bytes < math.inf
    assert job_memory_mb(spec) >= 500
    assert job_seconds(spec, 10, "cpu") > job_seconds(spec, 1, "cpu") > 0
    assert job_seconds(spec, 10, "cuda") <= job_seconds(spec, 10, "cpu")


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
    assert realization_cost(large).seconds > realization_cost(small).seconds
    assert realization_cost(large).data_bytes > realization_cost(small).data_bytes
    assert job_memory_mb(large) > job_memory_mb(small)
    assert block_size(large, "cpu", 10) <= block_size(small, "cpu", 10)


@pytest.mark.parametrize("name", ["linear", "two_layer", "logistic"])
def test_literal_steps_cost_by_their_number(name):
    literal = SPECS[name] | {"solver": "gradient_descent"}
    longer = literal | {"t_max": 1e7}
    assert realization_cost(longer).seconds > 50 * realization_cost(literal).seconds


@pytest.mark.parametrize("name", ["logistic", "sets"])
def test_a_gpu_holds_at_least_the_inputs(name):
    spec = SPECS[name] | {"n_train": 4000, "d": 2000}
    size = 4 if name == "logistic" else 8
    assert gpu_memory_mb(spec) > size * 8
    # Batches wait on the host.
    assert job_memory_mb(spec, "cuda") > job_memory_mb(spec, "cpu") + 2000


def test_solvers_that_stay_on_the_cpu_need_no_gpu():
    assert gpu_memory_mb(SPECS["linear"]) == 0
    assert job_memory_mb(SPECS["linear"], "cuda") == job_memory_mb(SPECS["linear"])


@pytest.mark.parametrize("name", ["linear", "logistic"])
def test_fast_solvers_cost_the_same_to_any_time(name):
    assert realization_cost(SPECS[name]) == realization_cost(SPECS[name] | {"t_max": 1e7})


def test_margins_cost_more():
    with_margin = SPECS["sets"] | {"margin": True}
    assert realization_cost(with_margin).seconds > realization_cost(SPECS["sets"]).seconds


SETS = SPECS["sets"] | {"n_train": 2400}
FLOW = SPECS["logistic"] | {"n_train": 400, "d": 192}
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
        (LINEAR, 0.43, 298),
        (LINEAR | {"d_out": 100}, 2.6, 369),
        (TWO_LAYERS, 5.1, 290),
        (TWO_LAYERS | {"d_h": 50, "activation": "tanh"}, 6.7, 255),
    ],
)
def test_measured_costs_within_a_factor_two(spec, seconds, memory):
    # CPU seconds per realization and MB of the process, of jobs on one core of a Xeon;
    # `python -m benchmarks workflow` measures them anew.
    assert seconds / 2 < realization_cost(spec).seconds < 2 * seconds
    assert memory / 2 < job_memory_mb(spec) - SNAKEMAKE_MB < 2 * memory


@pytest.mark.parametrize("minutes", [1e-6, 0.1, 1, 10, 1e6])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_blocks_are_round_and_fill_the_time(spec, minutes):
    size = block_size(spec, "cpu", minutes)
    assert f"{size:.0e}"[0] in "125"
    assert size == float(f"{size:.0e}")
    seconds = size * realization_cost(spec).seconds
    assert size == 1 or 60 * minutes / 2.6 < seconds <= 60 * minutes


def test_only_large_realizations_take_all_cores():
    assert not is_large(SPECS["logistic"])
    assert is_large(SPECS["logistic"] | {"n_train": 40_000, "d": 19_200})


def test_a_gpu_makes_only_those_jobs_quicker_that_use_it():
    quick, slow = SPECS["logistic"], SPECS["linear"]
    assert job_seconds(quick, 1000, "cuda") < job_seconds(quick, 1000, "cpu")
    assert job_seconds(slow, 1000, "cuda") == job_seconds(slow, 1000, "cpu")
    assert block_size(quick, "cuda", 10) > block_size(quick, "cpu", 10)
    assert block_size(slow, "cuda", 10) == block_size(slow, "cpu", 10)
