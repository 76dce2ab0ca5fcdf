"""The typed configuration: what it takes, and one clear line for everything else."""

import copy
import dataclasses
import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from linear_grokking.config import ConfigurationError, load, load_merged
from linear_grokking.config.experiments import LinearExperiment, LogisticExperiment, base
from linear_grokking.config.text import LONGEST, shown
from linear_grokking.jobs import kinds
from linear_grokking.jobs.kinds import KINDS, solvers_of
from linear_grokking.workflow.plan import Plan, json_schema, read, read_again

REPOSITORY = Path(__file__).parents[3]

BASE = {
    "seed": 1,
    "experiments": {
        "linear": {"model": "linear", "d_in": 100, "lambda": [0.5, 2.0]},
        "deep": {"model": "two_layer", "d_in": 100, "d_h": 5, "lambda": 0.5},
        "logistic": {"model": "logistic", "n_train": 100, "lambda": [0.4, 0.5]},
        "adam": {"model": "logistic", "solver": "adam", "n_train": 100, "d": 40, "t_max": 1000},
        "sets": {"measure": "separability", "n_train": 100, "d": [40, 60]},
        "times": {"measure": "grokking_times", "d_in": 100, "lambda": [0.5, 2.0]},
        "gaussians": {
            "model": "logistic",
            "law": "two_gaussians",
            "mu": 0.2,
            "sigma_a": [0, 0.1],
            "bias": False,
            "n_train": 100,
            "d": 40,
        },
        "points": {"model": "two_point", "lambda": [0.4, 0.5, 1.0]},
    },
    "figures": {
        "A1": {
            "dynamics": "linear",
            "times": "linear",
            "epsilon": [1e-3],
            "lambda": {"start": 0.1, "stop": 1.2},
        }
    },
}


def with_value(path, value):
    """Return the base configuration with one value set; a path is written with dots."""
    raw = copy.deepcopy(BASE)
    *parents, last = path.split(".")
    node = raw
    for part in parents:
        node = node[part]
    node[last] = value
    return raw


def specs(config):
    """Return the specs of all grid points of all experiments."""
    grids = config.experiments.items()
    return [(name, point.spec) for name, each in grids for point in each.grid(config.seed)]


def refusal(raw):
    """Return the lines that say why a configuration is refused."""
    with pytest.raises(ConfigurationError) as caught:
        read(raw)
    lines = str(caught.value).splitlines()
    assert lines
    assert all(line.strip() and len(line) < 600 for line in lines)
    assert "Traceback" not in str(caught.value)
    return lines


# Path, value, and what the one line must hold beside the path.
*FIRST, LAST = map(repr, solvers_of("linear", "dynamics"))
SOLVERS = f"{', '.join(FIRST)} or {LAST}"
MODELS = ", ".join(sorted({kind.model for kind in KINDS}))
MALFORMED = [
    # wrong types
    ("seed", "abc", "must be a number"),
    ("seed", True, "must be a number, not true or false"),
    ("seed", 1.5, "must be an integer"),
    ("seed", [1, 2], "must be one value, not a list"),
    ("seed", {"a": 1}, "must be an integer"),
    ("device", "gpu", "must be 'auto', 'cpu' or 'cuda'"),
    ("device", 1, "must be 'auto', 'cpu' or 'cuda'"),
    ("experiments", 3, "must be a section"),
    ("experiments", [], "must be a section"),
    ("experiments", "linear", "must be a section"),
    ("experiments.linear", 3, "must be a section"),
    ("experiments.linear", [{"model": "linear"}], "must be a section"),
    ("figures", ["A1"], "must be a section"),
    ("figures.A1", "linear", "must be a section"),
    ("figures.A1.lambda", [0.1, 1.2], "must be a section"),
    ("figures.A1.dynamics", 7, "must be text"),
    ("experiments.linear.eta", "fast", "must be a number"),
    ("experiments.linear.eta", [0.1, "fast"], "must be a number"),
    ("experiments.linear.eta", {"start": 1}, "must be a number"),
    ("experiments.linear.eta", [[0.1]], "must be one value, not a list"),
    ("experiments.linear.t_max", [1e4, 1e5], "must be one value, not a list"),
    ("experiments.linear.t_max", 2.5, "must be a whole number of steps"),
    ("experiments.linear.d_in", 10.5, "must be an integer"),
    ("experiments.logistic.bias", "perhaps", "must be true or false"),
    ("experiments.logistic.bias", [True, False], "must be true or false"),
    # unknown and misspelt keys
    ("sede", 1, 'unknown key; did you mean "seed"?'),
    ("experiments.linear.lamda", 0.5, 'unknown key; did you mean "lambda"?'),
    ("experiments.linear.learning_rate", 0.1, "unknown key"),
    ("experiments.points.lamda", 0.5, 'unknown key; did you mean "lambda"?'),
    ("experiments.sets.t_max", 5, "unknown key"),
    ("experiments.linear.linear", 5, "unknown key"),
    ("figures.A99", {}, "unknown key"),
    ("figures.a5", {}, 'unknown key; did you mean "A5"?'),
    ("figures.A1.dynamic", "linear", 'unknown key; did you mean "dynamics"?'),
    ("figures.A1.lambda.strt", 0.1, 'unknown key; did you mean "start"?'),
    ("pathvars", {"results": "/tmp"}, "unknown key"),
    # empty, twice, too many
    ("experiments.linear.lambda", [], "is empty; must hold at least one value"),
    ("experiments.deep.activation", [], "is empty"),
    ("figures.A1.epsilon", [], "is empty"),
    ("experiments.linear.lambda", [0.5, 0.5], "lists a value twice"),
    ("experiments.linear.lambda", [0.5, "5e-1"], "lists a value twice"),
    ("experiments.linear.gamma", [0.0, -0.0], "lists a value twice"),
    ("figures.A1.epsilon", [0.1, 0.1], "lists a value twice"),
    ("experiments.linear.eta", [k + 1 for k in range(2000)], "must hold at most 1000 values"),
    # numbers that are nothing
    ("experiments.linear.d_in", 0, "must be at least 1"),
    ("experiments.linear.d_out", -1, "must be at least 1"),
    ("experiments.logistic.n_train", 0, "must be at least 1"),
    ("experiments.adam.d", 0, "must be at least 1"),
    ("experiments.linear.lambda", 0, "must be greater than 0"),
    ("experiments.linear.lambda", -0.5, "must be greater than 0"),
    ("experiments.linear.gamma", -1e-3, "must be at least 0"),
    ("experiments.linear.noise", [-1], "must be at least 0"),
    ("experiments.linear.epsilon", 0, "must be greater than 0"),
    ("experiments.linear.realizations", 0, "must be at least 1"),
    ("experiments.linear.records", 1, "must be at least 2"),
    ("experiments.linear.block", 0, "must be at least 1"),
    ("experiments.logistic.label_fraction", 0, "must be greater than 0"),
    ("experiments.logistic.label_fraction", 1.1, "must be at most 1"),
    ("experiments.logistic.labels", "by_hand", "must be 'random' or 'threshold'"),
    ("experiments.adam.beta1", 1, "must be less than 1"),
    ("accuracy_threshold", 1, "must be less than 1"),
    ("job_minutes", 0, "must be greater than 0"),
    ("seed", -1, "must be at least 0"),
    # numbers that are too much, or not finite
    ("seed", 10**30, "must be"),
    ("experiments.linear.d_in", 10**9, "must be at most 1e+07"),
    ("experiments.linear.d_in", 1e20, "is too large"),
    ("experiments.linear.eta", 1e300, "must be at most 1e+12"),
    ("experiments.linear.eta", math.nan, "must be finite"),
    ("experiments.linear.eta", ".nan", "must be a number"),
    ("experiments.linear.eta", "nan", "must be finite"),
    ("experiments.linear.t_max", math.inf, "must be finite"),
    ("experiments.linear.t_max", "1e400", "must be finite"),
    ("experiments.logistic.b0", -math.inf, "must be finite"),
    ("experiments.linear.n_gen", math.nan, "must be finite"),
    ("experiments.points.lambda", 1.5, "must be at most 1"),
    ("experiments.points.realizations", 5, "must be at most 1"),
    ("experiments.points.realizations", "many", "must be a number"),
    # names
    ("experiments.linear.model", "linar", 'did you mean "linear"?'),
    ("experiments.linear.model", 5, f"must be one of {MODELS}"),
    ("experiments.linear.model", ["linear"], "must be one of"),
    ("experiments.linear.solver", "newton", f"must be {SOLVERS}"),
    ("experiments.logistic.loss", "hinge", "must be 'cross_entropy'"),
    ("experiments.points.solver", "adam", "must be 'exact_orbit'"),
    ("experiments.logistic.law", "cauchy", "must be 'gaussian'"),
    ("figures.A1.dynamics", "lniear", 'no experiment has this name; did you mean "linear"?'),
    ("figures.A1.dynamics", "zzz", "no experiment has this name; available: linear, deep"),
    ("figures.A1.dynamics", "points", "this figure needs linear"),
    ("figures.A1.dynamics", "../../etc/passwd", "no experiment has this name"),
]


@pytest.mark.parametrize(("path", "value", "says"), MALFORMED)
def test_each_mistake_is_one_line_that_names_key_value_and_what_is_allowed(path, value, says):
    lines = refusal(with_value(path, value))
    about_it = [line for line in lines if says in line]
    assert len(about_it) == 1, lines
    assert path in about_it[0].replace(" = ", ".")
    if isinstance(value, int | float | str) and "unknown key" not in says:
        assert shown(value) in about_it[0]


def test_there_are_enough_hand_picked_mistakes():
    assert len(MALFORMED) >= 60


THRESHOLD = {"model": "logistic", "n_train": 9, "d": 5, "labels": "threshold"}
DEFERRED = {"model": "logistic", "n_train": 9, "d": 5, "data": "deferred"}
# An experiment, and what the line must say; these concern several keys at once.
CONTRADICTIONS = [
    ({"model": "linear"}, "sets neither of the keys lambda and n_train"),
    ({"model": "linear", "lambda": 1, "n_train": 10}, "sets both of the keys lambda and n_train"),
    ({"model": "logistic", "n_train": 10}, "sets neither of the keys lambda and d"),
    ({"model": "linear", "d_in": 1000, "lambda": 0.7003}, None),
    ({"model": "linear", "d_in": 10, "lambda": 0.7}, "gives n_train = 14.2857"),
    ({"model": "logistic", "n_train": 10, "lambda": 0.43}, "gives d = 4.3"),
    ({"model": "logistic", "n_train": 10, "lambda": 1e-3}, "gives d = 0.01"),
    (
        {"model": "linear", "lambda": 1, "law": "power_law"},
        "needs spectral_exponent with law: power",
    ),
    ({"model": "linear", "lambda": 1, "spectral_exponent": 2}, "only with law: power_law"),
    (
        {"model": "linear", "lambda": 1, "law": "power_law", "spectral_exponent": 11},
        "spectral_exponent = 11: must be at most 10",
    ),
    ({"model": "linear", "lambda": 1e-320}, "at most 10000000 is allowed"),
    ({"model": "linear", "lambda": 1e-9}, "at most 10000000 is allowed"),
    ({"model": "two_layer", "lambda": 0.5}, "d_h: is missing; it is required: Hidden width"),
    ({"lambda": 0.5}, "model: is missing; must be one of"),
    ({}, "model: is missing; must be one of"),
    ({"measure": "separability", "d": 5}, "n_train: is missing"),
    ({"measure": "grokking_times"}, "sets neither of the keys lambda and n_train"),
    ({"measure": "grokking_times", "lambda": 1, "gamma": 0.1}, "unknown key"),
    ({"measure": "grokking_times", "model": "two_layer", "lambda": 1}, "must be 'linear'"),
    ({"measure": "separability", "n_train": 9, "d": 5, "law": "student_t"}, "needs degrees_of"),
    (
        {"measure": "separability", "n_train": 9, "d": 5, "latent_dim": 3},
        "latent_dim, which has a meaning only with law: tanh_features or relu_features",
    ),
    (
        {"model": "logistic", "n_train": 9, "d": 5, "law": ["gaussian", "rademacher"]},
        "needs n_gen above 0 with law: rademacher, whose outputs have no formula",
    ),
    ({"measure": "separability", "n_train": 9, "d": 5, "law": "anisotropic"}, "needs condition"),
    (
        {"model": "logistic", "n_train": 9, "d": 5, "bias": False, "b0": 1},
        "sets b0, which has a meaning only with a bias",
    ),
    ({"model": "logistic", "n_train": 9, "d": 5, "mu": 1}, "only with law: two_gaussians"),
    ({"model": "logistic", "n_train": 9, "d": 5, "beta1": 0.8}, "only with solver: adam"),
    (THRESHOLD | {"labels": ["random", "threshold"]}, None),
    (
        THRESHOLD | {"measure": "outputs"},
        "sets measure = outputs with labels: threshold; needs dyn",
    ),
    (
        THRESHOLD | {"law": ["gaussian", "anisotropic"], "condition": 2},
        "sets law = anisotropic with labels: threshold; needs gaussian",
    ),
    (THRESHOLD | {"loss": "exponential"}, "sets loss = exponential with labels: threshold; needs"),
    (THRESHOLD | {"n_gen": 7}, "sets n_gen = 7 with labels: threshold; needs 0"),
    (THRESHOLD | {"gamma": 0.1, "decay": "weights"}, None),
    (THRESHOLD | {"data": "deferred"}, "sets data = deferred with labels: threshold; needs matrix"),
    (DEFERRED | {"gamma": 0.1, "decay": "weights", "label_fraction": 0.9}, None),
    (
        DEFERRED | {"law": ["gaussian", "two_gaussians"], "mu": 1, "sigma_a": 0.1, "bias": False},
        None,
    ),
    (
        DEFERRED | {"law": ["gaussian", "two_gaussians"], "mu": 1, "sigma_a": 0.1},
        "needs no bias with law: two_gaussians, whose inputs have both labels",
    ),
    (
        DEFERRED | {"law": "anisotropic", "condition": 2},
        "sets law = anisotropic with data: deferred; needs gaussian or mixture or two_gaussians",
    ),
    (
        DEFERRED | {"solver": "adam"},
        "sets solver = adam with data: deferred; needs gradient_flow or gradient_descent",
    ),
    (DEFERRED | {"n_gen": 7}, "sets n_gen = 7 with data: deferred; needs 0"),
    (DEFERRED | {"dtype": "float32"}, "sets dtype = float32 with data: deferred; needs float64"),
    ({"measure": "separability", "n_train": 9, "d": 5, "data": "deferred"}, "unknown key"),
    ({"model": "linear", "lambda": 1, "data": "deferred"}, "unknown key"),
    ({"model": "logistic", "n_train": 9, "d": 5, "decay": "all"}, "only with gamma above 0"),
    (
        {"model": "logistic", "n_train": 9, "d": 5, "gamma": [0, 1], "solver": "adam", "t_max": 9},
        "sets gamma with solver: adam, which has no weight decay",
    ),
    (
        {"model": "linear", "lambda": 0.5, "gamma": 0.1, "solver": "adam", "t_max": 9},
        "sets gamma with solver: adam, which has no weight decay",
    ),
    ({"model": "two_layer", "lambda": 0.5, "d_h": 9, "beta1": 0.8}, "only with solver: adam"),
    (
        {"model": "logistic", "n_train": 9, "d": 5, "solver": "gradient_descent", "rtol": 1e-3},
        "only with solver: gradient_flow",
    ),
    (
        {"model": "logistic", "n_train": 9, "d": 5, "solver": "adam", "t_max": 1e12},
        "computes every step; at most 1e+09",
    ),
    ({"model": "logistic", "n_train": 10**7, "d": 10**7}, "GB of memory; at most 1000"),
    (
        {"model": "modular", "p": 3, "train_fraction": 0.05},
        "of 9 pairs leaves no pairs for training",
    ),
    ({"model": "modular", "p": 3, "train_fraction": 0.96}, "or none for generalization"),
    (
        {"model": "modular", "p": 23, "train_fraction": [0.3, 0.3001]},
        "train_fraction = 0.3 and 0.3001 give the same sizes",
    ),
    (
        {"model": "logistic", "n_train": 400, "lambda": [0.4, 0.4000001]},
        "lambda = 0.4 and 0.4000001 give the same sizes",
    ),
    ({"model": "logistic", "n_train": [400, 800], "lambda": [0.4, 0.2]}, None),
    ({"model": "modular", "p": 1}, "p = 1"),
    ({"model": "modular", "t_max": 1e12}, "computes every step; at most 1e+09"),
    (
        {"model": "two_layer", "lambda": 0.5, "d_h": 9, "t_max": 1e20, "eta": 1e6},
        "hours on one core; at most 100000 are allowed",
    ),
    (
        {
            "model": "linear",
            "lambda": 0.5,
            "eta": [k + 1 for k in range(200)],
            "gamma": list(range(200)),
        },
        "has 40000 grid points; at most 10000",
    ),
]


def test_no_weight_decay_is_what_a_spec_says_that_says_nothing():
    plain = {"model": "logistic", "n_train": 10, "d": 4}
    without = list(LogisticExperiment(**plain).grid(0))
    assert not {"gamma", "decay"} & without[0].spec.keys()
    points = list(LogisticExperiment(**plain, gamma=[0, 0.1], decay=["weights", "all"]).grid(0))
    # Without decay there is one point, not one for each kind of decay.
    assert points[0].spec == without[0].spec
    assert [point.parameters["gamma"] for point in points] == [0, 0.1, 0.1]
    assert [point.parameters.get("decay") for point in points] == [None, "weights", "all"]
    assert [point.spec.get("decay") for point in points[1:]] == ["weights", "all"]
    # Without bias both are the same.
    (point,) = LogisticExperiment(**plain, gamma=0.1, bias=False).grid(0)
    assert point.spec["gamma"] == 0.1 and "decay" not in point.spec


@pytest.mark.parametrize(("experiment", "says"), CONTRADICTIONS)
def test_keys_that_do_not_go_together(experiment, says):
    raw = with_value("experiments.this", experiment)
    if says is None:
        read(raw)
        return
    lines = refusal(raw)
    assert len(lines) == 1
    assert lines[0].startswith("experiments.this")
    assert says in lines[0]


def test_solvers_may_share_a_key(monkeypatch):
    adam = next(kind for kind in KINDS if (kind.model, kind.solver) == ("linear", "adam"))
    others = [kind for kind in KINDS if kind.solver == "adam" or "beta2" not in kind.options]
    monkeypatch.setattr(base, "KINDS", (*others, dataclasses.replace(adam, solver="rmsprop")))
    plain = {"model": "linear", "d_in": 10, "lambda": 0.5, "t_max": 9, "beta2": 0.9}
    (point,) = LinearExperiment(**plain, solver="adam").grid(0)
    assert point.spec["beta2"] == 0.9
    raw = with_value("experiments.this", plain | {"solver": "gradient_descent"})
    assert "only with solver: adam or rmsprop" in refusal(raw)[0]


def test_what_no_kind_of_run_has_is_refused_in_one_line(monkeypatch):
    fewer = [kind for kind in KINDS if (kind.solver, kind.labels) != ("adam", "threshold")]
    monkeypatch.setattr(kinds, "KINDS", fewer)
    raw = with_value("experiments.this", THRESHOLD | {"solver": "adam", "label_fraction": 0.9})
    (line,) = refusal(raw)
    assert line == (
        "experiments.this: logistic, adam, dynamics, threshold labels, matrix data: no kind of run "
        "has all of these"
    )


def test_isotropic_inputs_stay_out_of_a_runs_meaning():
    plain = {"model": "linear", "lambda": 0.5}
    both = {**plain, "law": ["gaussian", "power_law"], "spectral_exponent": 2}
    (without,) = (
        spec for name, spec in specs(read(with_value("experiments.this", plain))) if name == "this"
    )
    found = [
        spec for name, spec in specs(read(with_value("experiments.this", both))) if name == "this"
    ]
    assert found == [without, {**without, "law": "power_law", "spectral_exponent": 2.0}]
    assert not {"law", "spectral_exponent"} & set(without)


@pytest.mark.parametrize(("p", "fraction", "pairs"), [(23, 0.5, 264), (23, 0.3, 159), (7, 0.9, 44)])
def test_a_training_fraction_is_a_number_of_pairs(p, fraction, pairs):
    experiment = {"model": "modular", "p": p, "train_fraction": fraction}
    config = read(with_value("experiments.this", experiment))
    (point,) = config.experiments["this"].grid(0)
    assert point.spec["n_train"] == point.parameters["n_train"] == pairs
    assert "train_fraction" not in point.spec and point.parameters["train_fraction"] == fraction


@pytest.mark.parametrize("name", ["Bad", "1st", "a b", "../up", "a/b", "", "x" * 61, "é", "a\nb"])
def test_names_of_experiments_are_plain(name):
    lines = refusal(with_value("experiments", BASE["experiments"] | {name: {"model": "linear"}}))
    assert lines[0].startswith("experiments: the name = ")
    assert "name" in lines[0]


@pytest.mark.parametrize("raw", [None, 3, "text", [], {}, {"seed": 1}, [BASE]])
def test_a_configuration_that_is_none(raw):
    assert any("section" in line or "is missing" in line for line in refusal(raw))


@pytest.mark.parametrize("key", [7, 1.5, True, (1, 2)])
def test_keys_that_are_not_text(key):
    assert refusal({**BASE, key: 1})
    assert refusal(with_value("experiments", {key: BASE["experiments"]["linear"]}))
    assert refusal(with_value("experiments.linear", {key: 1, "model": "linear"}))


def test_many_mistakes_are_counted_not_listed():
    raw = with_value("experiments", {f"e{k}": {"model": "none"} for k in range(1000)})
    lines = refusal(raw)
    assert len(lines) == 21
    assert lines[-1] == "and 980 more mistakes"


def test_all_mistakes_are_said_at_once():
    raw = with_value("seed", -1)
    raw["device"] = "gpu"
    raw["experiments"]["linear"]["eta"] = 0
    assert [line.partition(" =")[0] for line in refusal(raw)] == [
        "seed",
        "device",
        "experiments.linear.eta",
    ]


def test_numbers_may_be_written_as_text_and_in_any_way():
    plain = specs(read(BASE))
    for path, value in [
        ("experiments.linear.lambda", ["0.5", 2]),
        ("experiments.linear.lambda", [5e-1, "2e0"]),
        ("experiments.linear.d_in", 100.0),
        ("experiments.linear.d_in", "1e2"),
        ("experiments.linear.gamma", -0.0),
        ("experiments.logistic.eta", "1e-2"),
        ("experiments.adam.t_max", "1e3"),
        ("seed", "1"),
    ]:
        given = specs(read(with_value(path, value)))
        assert json.dumps(given) == json.dumps(plain), (path, value)


@pytest.mark.parametrize("seed", [2**53 + 1, 2**63 - 1])
def test_whole_numbers_keep_all_digits_as_text(seed):
    assert read(with_value("seed", str(seed))).seed == seed


def test_the_name_of_a_field_in_the_program_is_no_key():
    raw = copy.deepcopy(BASE)
    raw["experiments"]["linear"]["lambda_"] = raw["experiments"]["linear"].pop("lambda")
    assert 'experiments.linear.lambda_: unknown key; did you mean "lambda"?' in refusal(raw)[-1]


def test_yaml_text_1e_3_is_a_number():
    raw = copy.deepcopy(BASE)
    raw["experiments"]["linear"] |= yaml.safe_load("{eta: 1e-3, t_max: 1e5}")
    assert isinstance(raw["experiments"]["linear"]["eta"], str)
    experiment = read(raw).experiments["linear"]
    assert experiment.eta == (1e-3,)
    assert experiment.t_max == 1e5


def test_null_removes_a_key():
    raw = with_value("figures.A1", None)
    raw["experiments"]["deep"] = None
    raw["experiments"]["linear"]["d_in"] = None
    config = read(raw)
    assert config.figures == {}
    assert "deep" not in config.experiments
    assert config.experiments["linear"].d_in == (1000,)
    assert refusal(with_value("seed", None)) == [
        "seed: is missing; it is required: Seed of every experiment that does not set its own."
    ]


def test_more_jobs_than_snakemake_can_handle_are_refused():
    raw = with_value("experiments", {"linear": BASE["experiments"]["linear"]})
    raw["experiments"]["linear"] |= {"realizations": 10**6, "block": 1}
    with pytest.raises(ConfigurationError, match=r"jobs.*at most"):
        Plan(read(raw))


# ---- generated malformed configurations ----

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.binary(max_size=5),
    st.dates(),
    st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=5)), max_size=4),
    st.dictionaries(st.one_of(st.text(max_size=8), st.integers()), st.integers(), max_size=3),
    st.recursive(st.integers(), lambda inner: st.lists(inner, max_size=2), max_leaves=5),
)


def places(node, path=()):
    """Yield the path of every key of a configuration."""
    for key, value in node.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from places(value, (*path, key))


@st.composite
def mutated(draw):
    """Return the base configuration with one to three places spoilt."""
    raw = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(places(raw), key=str)))
        node = raw
        for part in path[:-1]:
            node = node[part]
        what = draw(st.sampled_from(["value", "key", "misspelt", "gone"]))
        if what == "value":
            node[path[-1]] = draw(junk)
        elif what == "key":
            node[draw(st.one_of(st.text(max_size=12), st.integers()))] = draw(junk)
        elif what == "misspelt":
            node[f"{path[-1]}s"] = node.pop(path[-1])
        else:
            del node[path[-1]]
    return raw


@settings(max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_any_mutation_is_taken_or_refused_in_plain_lines(raw):
    try:
        config = read(raw)
    except ConfigurationError as error:
        lines = str(error).splitlines()
        assert 1 <= len(lines) <= 21
        assert all(line.isprintable() and 5 < len(line) < 600 for line in lines)
        assert "pydantic" not in str(error)
    else:
        for _, spec in specs(config):
            json.dumps(spec, allow_nan=False)


@settings(max_examples=200, deadline=2000)
@given(junk)
def test_no_value_of_a_learning_rate_gets_through_unless_it_is_one(value):
    try:
        eta = read(with_value("experiments.linear.eta", value)).experiments["linear"].eta
    except ConfigurationError as error:
        assert "experiments.linear.eta" in str(error)
    else:
        assert all(0 < each <= 1e12 for each in eta)


@given(st.recursive(st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_values_are_shown_on_one_short_line(value):
    text = shown(value)
    assert len(text) <= LONGEST
    assert text.isprintable()


def test_values_that_are_huge_or_contain_themselves_are_shown_at_once():
    laughs = ["ha"] * 10
    for _ in range(30):
        laughs = [laughs] * 10
    assert len(shown(laughs)) <= LONGEST
    endless = []
    endless.append(endless)
    assert len(shown(endless)) <= LONGEST
    assert shown(10**4000) == "a number of more than 300 digits"


# ---- files ----

LAUGHS = "\n".join(
    ["a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    + [f"{y}: &{y} [{', '.join([f'*{x}'] * 9)}]" for x, y in pairwise("abcdefghi")]
)

FILES = {
    "syntax": (b"seed: [1, 2\nexperiments: {", "line 2"),
    "quote": (b"seed: 'abc\n", "line"),
    "indentation": (b"seed: 1\n  device: cpu\n", "line 2"),
    "tab": (b"experiments:\n\ta: 1\n", "line 2, column 1: a tab; YAML is indented with spaces"),
    "not UTF-8": (b"seed: 1\n# \xff\xfe\x00 K\xf6nig\n", "line 2: is not UTF-8 text"),
    "UTF-16": ("seed: 1\n".encode("utf-16"), "is not UTF-8 text"),
    "control": (b"seed: 1\x00\n", "special characters are not allowed"),
    "list": (b"- seed: 1\n", "must hold keys and values at its top level; got [{seed: 1}]"),
    "scalar": (b"seed\n", "got seed"),
    "two documents": (b"seed: 1\n---\nseed: 2\n", "line 2"),
    "twice": (b"seed: 1\ndevice: cpu\nseed: 2\n", "line 3, column 1: the key seed appears twice"),
    "unhashable key": (b"? [1, 2]\n: 3\n? {a: 1}\n: 4\n", "unhashable key"),
    "undefined alias": (b"seed: *nobody\n", "undefined alias"),
    "laughs": (LAUGHS.encode(), "holds more than 100000 values"),
    "endless": (b"seed: &a [*a]\n", "holds more than 100000 values"),
    "nested": (b"seed: " + b"[" * 5000, "nested too deeply"),
    "10 MB": (
        b"seed: 1\n" + b"#" * 10**7,
        "10000008 bytes; a configuration may have at most 1000000",
    ),
    "digits": (b"seed: " + b"9" * 5000, "a number or date cannot be read"),
    "date": (b"seed: 2024-99-99\n", "a number or date cannot be read"),
    "template": (b"__use_yte__: true\nseed: ?1 + 1\n", "templates could run code"),
}


@pytest.mark.parametrize("what", FILES)
def test_files_that_are_no_configuration(tmp_path, what):
    content, says = FILES[what]
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert says in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("content", ["", "# Nothing, for now.\n", "---\n"])
def test_an_overlay_of_comments_changes_nothing(tmp_path, content):
    (tmp_path / "overlay.yaml").write_text(content)
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    paths = [tmp_path / "config.yaml", tmp_path / "overlay.yaml"]
    assert load_merged(paths) == {"seed": 1}


@pytest.mark.parametrize(
    "tag",
    [
        '!!python/object/apply:os.system ["touch {}"]',
        '!!python/object/new:os.system ["touch {}"]',
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/object:pathlib.Path {{}}",
        "!run {}",
    ],
)
def test_yaml_cannot_run_code(tmp_path, tag):
    proof = tmp_path / "proof"
    path = tmp_path / "config.yaml"
    path.write_text(f"seed: {tag.format(proof)}\n")
    with pytest.raises(ConfigurationError, match="a configuration holds plain values only"):
        load(path)
    assert not proof.exists()


def test_a_file_that_does_not_exist_or_is_a_folder(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        load(tmp_path / "missing.yaml")
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load(tmp_path)


def test_anchors_merge_keys_and_byte_order_marks_are_plain_yaml(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("\ufeffa: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n", encoding="utf-8")
    assert load(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}


def test_overlays_merge_keys_and_replace_lists(tmp_path):
    below, above = tmp_path / "below.yaml", tmp_path / "above.yaml"
    below.write_text("a: {x: [1, 2], y: {p: 1, q: 2}}\nb: 1\n")
    above.write_text("a: {x: [3], y: {q: null}}\nb: {c: 1}\n")
    assert load_merged([below, above]) == {
        "a": {"x": [3], "y": {"p": 1, "q": None}},
        "b": {"c": 1},
    }


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_file_or_refused_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "config.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(load(path), dict)
    except ConfigurationError as error:
        assert len(str(error).splitlines()) == 1


# ---- what the repository ships ----


@pytest.mark.parametrize("overlays", [[], ["smoke.yaml"], ["paper.yaml"]])
def test_shipped_configurations_are_valid(overlays):
    files = [REPOSITORY / "config" / name for name in ["config.yaml", *overlays]]
    if not all(path.exists() for path in files):
        pytest.skip(f"{files[-1].name} does not exist")
    config = read(load_merged(files))
    assert config.figures
    assert Plan(config).runs
    again = read_again(load_merged(files))
    assert list(again.figures) == list(config.figures)
    assert vars(again) | {"figures": dict(again.figures)} == vars(config)


def test_schema_is_generated_from_the_model():
    stored = (REPOSITORY / "config" / "schema.json").read_text(encoding="utf-8")
    assert json.loads(stored) == json_schema(), "run `make schema`"


def test_every_key_of_the_schema_is_described():
    def undescribed(node, where):
        for key, value in node.get("properties", {}).items():
            if "description" not in value:
                yield f"{where}.{key}"

    schema = json_schema()
    missing = list(undescribed(schema, "root"))
    for name, definition in schema["$defs"].items():
        missing += undescribed(definition, name)
    assert not missing


@pytest.mark.parametrize("path", ["experiments.linear.lambda", "figures.A1.epsilon"])
@pytest.mark.parametrize(
    ("value", "allowed"),
    [(0.5, True), ([0.5, 0.6], True), ([], False), (["x"], False), ([0.5] * 1001, False)],
)
def test_an_editor_is_told_which_lists_are_allowed(path, value, allowed):
    editor = Draft202012Validator(json_schema())
    assert editor.is_valid(with_value(path, value)) == allowed


SETS = {"model": "logistic", "measure": "separability", "n_train": 40, "lambda": 0.4}
LINEAR = {"model": "linear", "d_in": 20, "lambda": 0.5}


def spec_of(experiment, **more):
    config = read({"seed": 3, "experiments": {"e": experiment}, "figures": {}} | more)
    (point,) = config.experiments["e"].grid(config.seed, config.accuracy_threshold)
    return point.spec


@pytest.mark.parametrize(
    ("experiment", "key"),
    [
        (SETS, "box_margin"),
        (SETS | {"box_margin": False}, "box_margin"),
        (LINEAR | {"solver": "conjugate_gradients"}, "eta"),
        (LINEAR, "accuracy"),
        (SETS, "accuracy"),
    ],
)
def test_what_has_no_effect_on_a_run_is_not_in_its_spec(experiment, key):
    assert key not in spec_of(experiment, accuracy_threshold=0.9)


def test_only_grokking_times_depend_on_the_accuracy():
    times = {"measure": "grokking_times", "d_in": 20, "lambda": 0.5}
    assert spec_of(times, accuracy_threshold=0.9)["accuracy"] == 0.9
