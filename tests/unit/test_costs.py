"""The cost model: positive, growing with size, and round block sizes."""

import math

import pytest

from linear_grokking.costs import (
    block_size,
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
        "records": 50, "t_max": 1e5,
    },
    "logistic": {
        "measure": "dynamics", "model": "logistic", "solver": "gradient_flow",
        "dtype": "float32", "n_train": 200, "d": 100, "t_max": 1e5,
    },
    "sets": {"measure": "separability", "model": "logistic", "solver": "newton",
             "n_train": 200, "d": 100},
    "two_point": {"measure": "dynamics", "model": "two_point", "solver": "exact_orbit"},
}  # fmt: skip


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_costs_are_positive_and_finite(spec):
    cost = realization_cost(spec)
    assert 0 < cost.seconds < math.inf
    assert 0 < cost.data_bytes < math.inf
    assert job_memory_mb(spec) >= 500
    assert job_seconds(spec, 10, "cpu") > job_seconds(spec, 1, "cpu") > 0
    assert job_seconds(spec, 10, "cuda") < job_seconds(spec, 10, "cpu")


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
    accelerated = SPECS[name], SPECS[name] | {"t_max": 1e7}
    assert realization_cost(accelerated[0]) == realization_cost(accelerated[1])


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
