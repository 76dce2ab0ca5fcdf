"""Claims on synthetic tables: they see what is there, and what is not."""

import numpy as np
import pandas as pd
import pytest

from linear_grokking import claims
from linear_grokking.claims import registry
from linear_grokking.claims.verdict import Claim, Measurement
from linear_grokking.figures.maps import tabulate_map
from linear_grokking.figures.registry import figure_ids
from linear_grokking.figures.tables import TableBuilder
from linear_grokking.results.identity import hashed
from linear_grokking.results.storage import write_frame
from linear_grokking.theory import large_size, wendel
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.linear_grokking_time import grokking_time


def evidence(figure, table=None, options=None, root=None, **runs):
    """Return what claims on a figure read; runs are given by their role."""
    request = {"figure": figure, "options": options or {}, "runs": runs}
    request |= {"threshold": 0.95, "loss_threshold": 1e-3}
    return registry.Evidence(root, request, table)


def stored(root, lambda_, **scalars):
    """Write the scalars of a separability run; return the run as a request names it."""
    run_id, rows = f"lambda-{lambda_}", pd.DataFrame(scalars)
    path = root / "results" / "scalars" / f"{run_id}.parquet"
    write_frame(rows, path, spec="{}", provenance={"fingerprint": "0"})
    parameters = {"n_train": 400, "lambda": lambda_, "law": "gaussian", "sigma": 1.0}
    of = {"realizations": len(rows), "made_of": hashed({}, "0")}
    return {"run_id": run_id, "parameters": parameters, **of}


def by_id(made):
    return {claim.id: claim for claim in made}


def phase_diagram(function):
    builder = TableBuilder()
    gamma, d_out = np.geomspace(1e-6, 1e-1, 30), np.geomspace(1, 1000, 20)
    lambda_ = np.linspace(0.1, 1.5, 29)
    for panel, x, y, still in (
        ("gamma_d_out", gamma, d_out, {"lambda": 0.9}),
        ("d_out_lambda", d_out, lambda_, {"gamma": 0.0}),
    ):
        times = function(panel, *np.meshgrid(x, y))
        tabulate_map(builder, panel, x, y, times, still)
    # The third diagram, whose columns the others have too.
    tabulate_map(builder, "gamma_lambda", gamma[:2], lambda_[:2], np.ones((2, 2)), {"d_out": 1})
    return builder.frame()


def exact(panel, x, y):
    if panel == "gamma_d_out":
        return grokking_time(Problem(0.9, 0.01, gamma=x, d_out=y), 1e-3)
    return grokking_time(Problem(y, 0.01, d_out=x), 1e-3)


def test_phase_diagrams_of_the_formulas():
    table = phase_diagram(exact)
    made = by_id(registry.collect(evidence("A4", table, {"epsilon": 1e-3})))
    assert made["A4-decay-delays-single-output"].verdict == "confirmed"
    assert made["A4-decay-delays-always"].verdict == "contradicted"
    assert made["A4-above-one-never"].verdict == "contradicted"
    assert made["A4-above-one-never"].note


def test_phase_diagram_that_is_white_above_one():
    table = phase_diagram(lambda panel, x, y: np.where(y > 1, np.nan, 1e4 + x))
    made = by_id(registry.collect(evidence("A4", table, {"epsilon": 1e-3})))
    assert made["A4-above-one-never"].verdict == "confirmed"
    assert made["A4-above-one"].verdict == "undecided"


@pytest.mark.parametrize(("error", "expected"), [(0.0, "confirmed"), (0.1, "contradicted")])
def test_long_time_laws_find_an_error(error, expected):
    builder = TableBuilder()
    builder.add("log_t", "bias", "theory", 0.4, -1.0)
    builder.add("log_t", "bias", "experiment", 0.4, -1.0 + error, parameters={"t_max": 1e300})
    [claim] = registry.collect(evidence("BT1", builder.frame()))
    assert claim.verdict == expected and claim.id == "BT1-bias-lambda-0.4"


@pytest.mark.parametrize(("shift", "expected"), [(0.0, "confirmed"), (0.02, "contradicted")])
def test_wendel_is_one_joint_test_and_places_the_transition(tmp_path, shift, expected):
    rng = np.random.default_rng(2)
    runs = []
    for lambda_ in (0.42, 0.44, 0.46, 0.48, 0.5):
        p = wendel.separable_probability(400, round((lambda_ - shift) * 400))
        runs.append(stored(tmp_path, lambda_, separable=rng.random(2000) < p))
    made = by_id(claims.separability.wendel_joint(evidence("B6", root=tmp_path, statistics=runs)))
    assert made["B6-wendel-gaussian"].verdict == expected
    assert made["B6-critical-gaussian"].verdict == expected
    assert made["B6-critical-gaussian"].finding.measured.value == pytest.approx(
        0.5 + shift, abs=0.003
    )


def test_limit_norm_tells_the_curves_apart(tmp_path):
    rng = np.random.default_rng(4)
    runs = []
    for lambda_ in (0.38, 0.4, 0.42, 0.44):
        norm = large_size.limit_norm(lambda_) * np.exp(0.1 * rng.normal(size=400))
        runs.append(stored(tmp_path, lambda_, separable=False, s_inf_norm=norm))
    made = by_id(claims.separability.limit_norm(evidence("B1", root=tmp_path, statistics=runs)))
    assert made["B1-limit-norm-large-size"].verdict == "confirmed"
    assert made["B1-limit-norm-two-point"].verdict == "contradicted"


@pytest.mark.parametrize(("figure", "quantity"), [("B6", "fraction"), ("B7", "mean")])
def test_positive_outputs_are_judged_without_leaving_draws_out(tmp_path, figure, quantity):
    curve = getattr(large_size, f"positive_{quantity}")
    runs = []
    for lambda_ in (0.38, 0.42):
        values = {f"positive_{quantity}": np.full(50, float(curve(lambda_)))}
        runs.append(stored(tmp_path, lambda_, separable=False, **values))
    made = by_id(registry.collect(evidence(figure, root=tmp_path, statistics=runs, margins=[])))
    assert made[f"{figure}-positive-{quantity}-curve"].verdict == "confirmed"
    limit = made[f"{figure}-positive-{quantity}-limit"]
    assert limit.verdict == "confirmed"
    # The paper has the fraction tend to some constant, and the mean to 0.
    assert (limit.source.states == "B") == (figure == "B6")
    vanishes = made.get("B7-positive-mean-vanishes")
    assert (vanishes is None) == (figure == "B6")
    assert vanishes is None or (vanishes.verdict == "contradicted" and vanishes.note)


@pytest.mark.parametrize(
    ("two", "full", "expected"),
    [(0.84, 0.947, "confirmed"), (0.97, 0.947, "contradicted"), (1.0, 1.0, "confirmed")],
)
def test_two_models_agree_if_they_end_on_one_side(two, full, expected):
    builder = TableBuilder()
    for model, limit in (("two_point", two), ("logistic", full)):
        shown = {"model": model, "lambda": 0.52}
        builder.add("accuracy", "limit", "theory", [1.0, 10.0], limit, parameters=shown)
    [claim] = registry.collect(evidence("B4", builder.frame()))
    assert claim.verdict == expected


def test_effective_modes_are_those_of_a_spectrum():
    lambda_, d_in, eta, d_out = 0.5, 1000, 0.01, 4
    parameters = {"lambda": lambda_, "d_in": d_in, "eta": eta, "d_out": d_out}
    parameters |= {"gamma": 0.0, "alpha": 1.0, "noise": 0.0}
    x = np.random.default_rng(1).normal(size=(round(d_in / lambda_), d_in))
    eigenvalues = np.linalg.eigvalsh(x.T @ x / len(x))
    for step in (0.0, 300.0, 3000.0):
        variances = np.exp(-4 * eta * eigenvalues * step / d_out)
        modes = variances.sum() ** 2 / (variances**2).sum()
        found = claims.linear._effective_modes(parameters, step)
        assert found == pytest.approx(modes, rel=0.05)


def test_scatter_of_errors_over_samples_follows_from_the_modes():
    # Means over 2000 draws of D: the ratio has a standard error below 1 %.
    d_out, variances = 6, np.geomspace(1, 0.01, 40)
    modes = variances.sum() ** 2 / (variances**2).sum()
    outputs = d_out / (1 + (d_out - 1) * (d_out + 2) / (d_out * modes))
    draws = np.random.default_rng(2).normal(size=(2000, len(variances), d_out))
    d = draws * np.sqrt(variances)[:, np.newaxis]
    covariance = np.swapaxes(d, 1, 2) @ d
    squares = (covariance**2).sum((1, 2)).mean()
    trace = np.trace(covariance, axis1=1, axis2=2)
    assert 2 * squares / (trace**2).mean() == pytest.approx(2 / outputs, rel=0.03)


def test_every_figure_with_claims_exists():
    assert set(registry.registered()) <= set(figure_ids())


def test_two_claims_of_one_name_are_refused():
    claim = Claim("A1-x", "It is 1.", Measurement.exact(1.0).near(1.0, 0.1))
    assert registry.frame([claim])["verdict"].tolist() == ["confirmed"]
    with pytest.raises(ValueError, match="A1-x"):
        registry.frame([claim, claim])
