"""The job layer: one block of one run, from spec to file, in good cases and in bad ones."""

import json
import logging
import os
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest

from linear_grokking.jobs.kinds import kind_of, run_id
from linear_grokking.results.storage import read_metadata, read_table
from linear_grokking.runtime.checkpoints import Interrupted
from linear_grokking.solvers.trajectory import SolverError
from linear_grokking.workflow.plan import read
from linear_grokking.workflow.steps import block as block_module
from linear_grokking.workflow.steps.block import (
    ChangedCodeError,
    NonFiniteError,
    assemble,
    train_block,
)
from linear_grokking.workflow.steps.summarize import summarize_run


def spec_of(**experiment):
    """Return the spec of an experiment of one grid point, small unless said otherwise."""
    if experiment.get("measure") != "separability":
        experiment = {"t_max": 100, "records": 10} | experiment
    if experiment.get("model") in {"linear", "two_layer"}:
        experiment = {"n_gen": 20} | experiment
    config = read({"seed": 3, "experiments": {"this": experiment}, "figures": {}})
    (point,) = config.experiments["this"].grid(config.seed)
    return point.spec


def compute(spec, tmp_path, realizations="0-2", threads=1):
    output = tmp_path / run_id(spec) / f"{realizations}.parquet"
    request = {"spec": spec, "block": realizations}
    train_block(request, [output], device="cpu", threads=threads)
    table = read_table(output)
    assert table.schema.equals(kind_of(spec).schema)
    return table


def assert_no_nan(table):
    for name in table.column_names:
        values = table[name].drop_null().to_numpy()
        if values.dtype.kind == "f":
            assert not np.isnan(values).any(), name


KINDS = {
    "linear, spectral": {"model": "linear", "d_in": 10, "lambda": 0.5},
    "linear, literal": {"model": "linear", "d_in": 10, "lambda": 0.5, "solver": "gradient_descent"},
    "linear, Adam": {"model": "linear", "d_in": 10, "lambda": 0.5, "solver": "adam"},
    "linear, all options": {
        "model": "linear", "d_in": 10, "d_out": 3, "n_train": 7, "gamma": 1e-2, "alpha": 2,
        "noise": 0.1,
    },
    "two layers": {"model": "two_layer", "d_in": 10, "d_h": 4, "lambda": 0.5},
    "two layers, tanh": {
        "model": "two_layer", "d_in": 10, "d_h": 4, "d_out": 2, "n_train": 8, "activation": "tanh",
    },
    "two layers, literal": {
        "model": "two_layer", "d_in": 10, "d_h": 4, "lambda": 0.5, "solver": "gradient_descent",
    },
    "two layers, Adam": {
        "model": "two_layer", "d_in": 10, "d_h": 4, "lambda": 0.5, "solver": "adam",
    },
    "logistic, flow": {"model": "logistic", "n_train": 20, "d": 6, "sigma": 5},
    "logistic, literal": {"model": "logistic", "n_train": 20, "d": 6, "solver": "gradient_descent"},
    "logistic, Adam": {"model": "logistic", "n_train": 20, "d": 6, "solver": "adam"},
    "logistic, exponential": {"model": "logistic", "n_train": 20, "d": 6, "loss": "exponential"},
    "logistic, two labels": {"model": "logistic", "n_train": 20, "d": 6, "label_fraction": 0.8},
    "logistic, two Gaussians": {
        "model": "logistic", "n_train": 20, "d": 6, "law": "two_gaussians", "mu": 0.2,
        "sigma_a": 0.1, "bias": False, "n_gen": 30,
    },
    "logistic, mixture": {
        "model": "logistic", "n_train": 20, "d": 6, "law": "mixture", "mixture_mean": 2,
    },
    "logistic, anisotropic": {
        "model": "logistic", "n_train": 20, "d": 6, "law": "anisotropic", "condition": 10,
    },
    "outputs": {"model": "logistic", "measure": "outputs", "n_train": 20, "d": 6},
    "sets": {"measure": "separability", "n_train": 20, "d": 12, "margin": True},
    "two-point": {"model": "two_point", "lambda": 0.4},
    "modular": {"model": "modular", "p": 5, "d_h": 6},
}  # fmt: skip


LONG_FLOW = {"model": "logistic", "n_train": 60, "d": 25, "sigma": 5, "t_max": 1e8, "records": 30}


@pytest.fixture(params=KINDS)
def spec(request):
    return spec_of(**KINDS[request.param])


def test_a_block_holds_what_its_schema_and_spec_say(spec, tmp_path):
    last = 0 if spec["model"] == "two_point" else 2
    table = compute(spec, tmp_path, f"0-{last}")
    assert table.schema.equals(kind_of(spec).schema)
    assert table["realization"].unique().to_pylist() == list(range(last + 1))
    assert_no_nan(table)
    for name in set(table.column_names) - {"s_inf_norm", "positive_fraction", "positive_mean"}:
        assert "margin" in name or name == "box_norm" or table[name].null_count == 0
    if "step" in table.column_names:
        steps = table["step"].to_numpy().reshape(last + 1, -1)
        assert (steps == steps[0]).all()
        assert (np.diff(steps[0]) > 0).all()
        assert steps[0, 0] == 0
        assert steps[0, -1] == 100
    stored, record = read_metadata(tmp_path / run_id(spec) / f"0-{last}.parquet")
    assert stored == spec
    assert record["device"] == "cpu"
    assert record["fingerprint"] == kind_of(spec).code(spec)
    assert record["seconds"] >= 0
    assert not list((tmp_path / run_id(spec)).glob(".*"))


def test_the_cut_into_blocks_changes_no_bit(spec, tmp_path):
    if spec["model"] == "two_point":
        pytest.skip("has one realization")
    together = compute(spec, tmp_path / "together", "0-3").to_pylist()
    parts = [
        row
        for part in ("0-0", "1-2", "3-3")
        for row in compute(spec, tmp_path / "parts", part).to_pylist()
    ]
    assert parts == together
    assert compute(spec, tmp_path / "threads", "0-3", threads=2).to_pylist() == together


def test_single_precision_gives_the_same_curves(tmp_path):
    """Losses to a tenth of the width of a line, some 1 % of a decade; hardly a sample moves."""
    narrow, wide = (
        compute(spec_of(dtype=dtype, **LONG_FLOW), tmp_path / dtype).to_pandas()
        for dtype in ("float32", "float64")
    )
    for name in ("train_loss", "gen_loss", "weight_norm"):
        assert np.abs(np.log10(narrow[name] / wide[name])).max() < 1e-3
    assert np.abs(narrow["gen_accuracy"] - wide["gen_accuracy"]).max() < 1e-3
    assert np.abs(narrow["train_accuracy"] - wide["train_accuracy"]).max() < 1.01 / 60


# ---- bad luck: small and degenerate sets, and what sits exactly on the edge ----

DEGENERATE = {
    "linear, one input": {"model": "linear", "d_in": 1, "n_train": 5},
    "linear, one sample": {"model": "linear", "d_in": 5, "n_train": 1},
    "linear, one of each": {"model": "linear", "d_in": 1, "n_train": 1},
    "linear, lambda 1": {"model": "linear", "d_in": 8, "lambda": 1, "t_max": 1e6},
    "linear, N < d": {"model": "linear", "d_in": 9, "lambda": 3, "gamma": 1e-3},
    "linear, literal, N < d": {
        "model": "linear", "d_in": 9, "lambda": 3, "solver": "gradient_descent",
    },
    "two layers, one of each": {"model": "two_layer", "d_in": 1, "d_h": 1, "n_train": 1},
    "two layers, N < d": {"model": "two_layer", "d_in": 9, "d_h": 2, "lambda": 3},
    "two layers, tanh, lambda 1": {
        "model": "two_layer", "d_in": 6, "d_h": 2, "lambda": 1, "activation": "tanh",
    },
    "logistic, one of each": {"model": "logistic", "n_train": 1, "d": 1, "t_max": 1e6},
    "logistic, d 1": {"model": "logistic", "n_train": 6, "d": 1, "t_max": 1e6},
    "logistic, lambda ½": {"model": "logistic", "n_train": 10, "lambda": 0.5, "t_max": 1e6},
    "logistic, lambda 1": {"model": "logistic", "n_train": 6, "lambda": 1, "t_max": 1e6},
    "logistic, N < d": {"model": "logistic", "n_train": 4, "d": 9, "sigma": 10, "t_max": 1e6},
    "logistic, no weights at first": {"model": "logistic", "n_train": 9, "d": 3, "s0_norm": 0},
    "logistic, very long": {"model": "logistic", "n_train": 9, "d": 3, "t_max": 1e100},
    "logistic, exponential, separable": {
        "model": "logistic", "n_train": 4, "d": 9, "loss": "exponential", "t_max": 1e12,
    },
    "logistic, tiny sigma": {"model": "logistic", "n_train": 9, "d": 3, "sigma": 1e-9},
    "logistic, Adam, long": {
        "model": "logistic", "n_train": 5, "d": 2, "solver": "adam", "t_max": 5000,
    },
    "logistic, a line": {
        "model": "logistic", "law": "two_gaussians", "mu": 0.2, "sigma_a": 0, "n_train": 9, "d": 1,
        "bias": False,
    },
    "two-point, lambda 0": {"model": "two_point", "lambda": 0, "t_max": 1e12},
    "two-point, lambda ½": {"model": "two_point", "lambda": 0.5, "t_max": 1e300},
    "two-point, lambda 1": {"model": "two_point", "lambda": 1, "t_max": 1e12},
    "two-point, near ½": {"model": "two_point", "lambda": 0.4999999999, "t_max": 1e300},
    "sets, one of each": {"measure": "separability", "n_train": 1, "d": 1, "margin": True},
    "sets, d 1": {"measure": "separability", "n_train": 5, "d": 1, "margin": True},
    "sets, one sample": {"measure": "separability", "n_train": 1, "d": 5, "margin": True},
    "sets, lambda ½": {"measure": "separability", "n_train": 10, "lambda": 0.5, "margin": True},
    "sets, lambda 1, all separable": {
        "measure": "separability", "n_train": 8, "lambda": 1, "margin": True,
    },
    "sets, N < d, all separable": {
        "measure": "separability", "n_train": 4, "d": 9, "margin": True,
    },
    "sets, none separable": {"measure": "separability", "n_train": 60, "d": 1, "margin": True},
    "outputs, all separable": {"model": "logistic", "measure": "outputs", "n_train": 3, "d": 9},
}  # fmt: skip


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_sets_give_a_defined_result_and_a_summary(case, tmp_path):
    spec = spec_of(**DEGENERATE[case])
    last = 0 if spec["model"] == "two_point" else 4
    table = compute(spec, tmp_path, f"0-{last}")
    assert_no_nan(table)
    if spec["measure"] == "separability":
        separable = table["separable"].to_pylist()
        if "all separable" in case or "one sample" in case:
            assert all(separable)
        if "none" in case:
            assert not any(separable)
        for row in table.to_pylist():
            # S_inf exists on one side, the margin on the other.
            assert (row["s_inf_norm"] is None) == row["separable"]
            assert (row["margin"] is not None) == row["separable"]
    request = {
        "spec": spec,
        "folder": run_id(spec),
        "realizations": last + 1,
        "threshold": 0.95,
        "loss_threshold": 1e-3,
    }
    summaries = [tmp_path / "summary.parquet", tmp_path / "scalars.parquet"]
    summarize_run(request, summaries, tmp_path)
    for path in summaries:
        assert_no_nan(read_table(path))


DIVERGING = {
    "two-point, generalization loss": {"model": "two_point", "lambda": 1, "t_max": 1e300},
    "linear, spectral": {"model": "linear", "d_in": 10, "lambda": 0.5, "eta": 50, "t_max": 1e4},
    "linear, literal": {
        "model": "linear", "d_in": 10, "lambda": 0.5, "eta": 50, "t_max": 1e4,
        "solver": "gradient_descent",
    },
    "linear, weight decay": {
        "model": "linear", "d_in": 10, "lambda": 0.5, "gamma": 1e6, "t_max": 1e4,
    },
    "two layers, literal": {
        "model": "two_layer", "d_in": 10, "d_h": 4, "lambda": 0.5, "eta": 1e4,
        "solver": "gradient_descent", "t_max": 1e4,
    },
    "logistic, exponential, literal": {
        "model": "logistic", "n_train": 30, "d": 3, "sigma": 40, "eta": 1e3,
        "loss": "exponential", "solver": "gradient_descent",
    },
    "logistic, Adam": {
        "model": "logistic", "n_train": 30, "d": 3, "eta": 1e11, "sigma": 1e3,
        "loss": "exponential", "solver": "adam",
    },
}  # fmt: skip


@pytest.mark.parametrize("case", DIVERGING)
def test_a_run_that_diverges_says_so_and_writes_nothing(case, tmp_path):
    with pytest.raises((RuntimeError, ValueError)) as caught:
        compute(spec_of(**DIVERGING[case]), tmp_path, "0-0")
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert "eta" in message
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_run_that_diverges_names_its_realizations(tmp_path):
    spec = spec_of(**DIVERGING["logistic, exponential, literal"])
    with pytest.raises(SolverError, match=r"DIVERGED \(realizations \[3\]\), last"):
        compute(spec, tmp_path, "3-3")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["train_loss", "gen_accuracy", "step"])
def test_no_number_that_is_not_finite_reaches_a_history(name, bad):
    spec = spec_of(**KINDS["linear, spectral"])
    good = {field: np.linspace(0, 1, 5) for field in kind_of(spec).schema.names[1:]}
    spoilt = good | {name: np.array([0, 0.5, 1, bad, 2])}
    with pytest.raises(NonFiniteError, match=f"realization 1: {name} is not finite"):
        assemble(spec, {0: good, 1: spoilt})


# ---- interruption, edits under way, the record of a file ----


def test_a_stopped_job_goes_on_and_gives_the_same_bits(tmp_path, monkeypatch, caplog):
    spec = spec_of(**KINDS["linear, spectral"])
    undisturbed = compute(spec, tmp_path / "a", "0-5")
    original = block_module.progress
    seen = []

    def stopping(results, **options):
        for realization, columns in original(results, **options):
            seen.append(realization)
            if realization == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            yield realization, columns

    monkeypatch.setattr(block_module, "progress", stopping)
    with pytest.raises(Interrupted):
        compute(spec, tmp_path / "b", "0-5")
    assert not list((tmp_path / "b").rglob("*.parquet"))
    assert seen == [0, 1, 2, 3]
    with caplog.at_level(logging.INFO, "linear_grokking"):
        resumed = compute(spec, tmp_path / "b", "0-5")
    assert seen == [0, 1, 2, 3, 4, 5]
    assert "resuming a stopped job: 4 realizations done" in caplog.text
    assert resumed.equals(undisturbed)


def test_a_block_is_not_written_into_the_folder_of_another_run(tmp_path):
    spec = spec_of(**KINDS["linear, spectral"])
    own = tmp_path / run_id(spec) / "0-0.parquet"
    request = {"spec": spec, "block": "0-0"}
    train_block(request, [own], device="cpu", threads=1)
    other = tmp_path / ("0" * 16) / "0-0.parquet"
    with pytest.raises(ChangedCodeError, match="the code was edited"):
        train_block(request, [other], device="cpu", threads=1)
    assert not other.parent.exists()


def test_the_record_is_plain_json(tmp_path):
    spec = spec_of(**KINDS["sets"])
    compute(spec, tmp_path, "0-0")
    metadata = pq.read_schema(tmp_path / run_id(spec) / "0-0.parquet").metadata
    json.loads(metadata[b"spec"])
    record = json.loads(metadata[b"provenance"])
    assert record["device_name"] == "CPU"
    assert record["threads"] == 1


def test_a_spec_that_names_no_job_is_refused(tmp_path):
    with pytest.raises(ValueError, match="model is missing"):
        compute({"measure": "dynamics"}, tmp_path)
    with pytest.raises(ValueError, match="no kind of run has all of these"):
        compute(spec_of(**KINDS["linear, spectral"]) | {"solver": "newton"}, tmp_path)


def asked_to_stop_at(monkeypatch, last):
    """Let the system ask a job to stop when a realization is done."""
    add = block_module.BlockCheckpoint.add

    def asked(self, realization, columns):
        if realization == last:
            os.kill(os.getpid(), signal.SIGTERM)
        add(self, realization, columns)

    monkeypatch.setattr(block_module.BlockCheckpoint, "add", asked)


def test_a_block_that_is_told_to_stop_when_all_is_done_is_written(tmp_path, monkeypatch):
    spec = spec_of(**KINDS["sets"])
    expected = compute(spec, tmp_path / "undisturbed")
    asked_to_stop_at(monkeypatch, last=2)
    assert compute(spec, tmp_path).equals(expected)
    assert not list((tmp_path / run_id(spec)).glob(".*"))
    asked_to_stop_at(monkeypatch, last=1)
    with pytest.raises(Interrupted):
        compute(spec, tmp_path / "earlier")


def test_a_gpu_that_is_held_and_cannot_be_used_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(block_module.devices, "gpu_present", lambda: False)
    for name, says in (("sets", True), ("linear, spectral", False)):
        spec = spec_of(**KINDS[name])
        caplog.clear()
        request = {"spec": spec, "block": "0-0"}
        train_block(request, [tmp_path / run_id(spec) / "0-0.parquet"], device="auto", threads=1)
        assert ("holds a GPU, but torch sees none" in caplog.text) == says


def test_realizations_are_in_order_whatever_the_order_in_which_they_end():
    sets = {"model": "logistic", "measure": "separability", "n_train": 4, "lambda": 0.5}
    config = read({"seed": 3, "experiments": {"e": sets}, "figures": {}})
    (point,) = config.experiments["e"].grid(3)
    row = {f.name: np.zeros(1) for f in kind_of(point.spec).schema if f.name != "realization"}
    row |= {"separable": np.array([False]), "certificate": np.array(["hull"])}
    table = assemble(point.spec, {5: row, 3: row, 4: row})
    assert table.column("realization").to_pylist() == [3, 4, 5]
