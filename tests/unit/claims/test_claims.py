"""Claims on synthetic tables: they see what is there, and what is not."""

import numpy as np
import pandas as pd
import pytest

from linear_grokking import claims
from linear_grokking.claims import registry
from linear_grokking.claims.verdict import Claim, Measurement
from linear_grokking.figures.registry import figure_ids
from linear_grokking.figures.tables import TableBuilder
from linear_grokking.results.identity import hashed
from linear_grokking.results.storage import write_frame
from linear_grokking.theory import large_size, wendel


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
    of = {"seed": 0, "realizations": len(rows), "made_of": hashed({}, "0")}
    return {"run_id": run_id, "parameters": parameters, **of}


def by_id(made):
    return {claim.id: claim for claim in made}


@pytest.mark.parametrize("lambda_", [0.4, 0.5])
@pytest.mark.parametrize(("error", "expected"), [(0.0, "confirmed"), (0.1, "contradicted")])
def test_long_time_laws_find_an_error(lambda_, error, expected):
    builder = TableBuilder()
    builder.add("log_t", "bias", "theory", lambda_, -1.0)
    builder.add("log_t", "bias", "experiment", lambda_, -1.0 + error, parameters={"t_max": 1e300})
    [claim] = claims.two_point.long_time_laws(evidence("BT1", builder.frame()))
    assert claim.verdict == expected and claim.id == f"BT1-bias-lambda-{lambda_}"


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
    made = by_id(claims.separability.positive(evidence(figure, root=tmp_path, statistics=runs)))
    assert made[f"{figure}-positive-{quantity}-curve"].verdict == "confirmed"
    limit = made[f"{figure}-positive-{quantity}-limit"]
    assert limit.verdict == "confirmed"
    # That the fraction tends to some constant is the paper's.
    assert (limit.source is not None and limit.source.states == "B") == (figure == "B6")


@pytest.mark.parametrize(
    ("two", "full", "expected"),
    [(0.84, 0.947, "confirmed"), (0.97, 0.947, "contradicted"), (1.0, 1.0, "confirmed")],
)
def test_two_models_agree_if_they_end_on_one_side(two, full, expected):
    builder = TableBuilder()
    for model, series, limit in (
        ("two_point", "limit", two),
        ("logistic", "limit", 0.5),
        ("logistic", "large_size_limit", full),
    ):
        shown = {"model": model, "lambda": 0.52}
        builder.add("accuracy", series, "theory", [1.0, 10.0], limit, parameters=shown)
    [claim] = claims.two_point.same_side(evidence("B4", builder.frame()))
    assert claim.verdict == expected


def test_every_figure_with_claims_exists():
    assert set(registry.registered()) <= set(figure_ids())


def test_two_claims_of_one_name_are_refused():
    claim = Claim("A1-x", "It is 1.", Measurement.exact(1.0).near(1.0, 0.1))
    assert registry.frame([claim])["verdict"].tolist() == ["confirmed"]
    with pytest.raises(ValueError, match="A1-x"):
        registry.frame([claim, claim])
