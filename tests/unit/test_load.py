"""Results as data frames."""

import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from linear_grokking import load
from linear_grokking.errors import LinearGrokkingError
from linear_grokking.jobs.kinds import LINEAR, SEPARABILITY
from linear_grokking.results.identity import canonical, hashed
from linear_grokking.results.statistics import frame
from linear_grokking.results.storage import write_table
from linear_grokking.results.summaries import scalars_of, summary_of
from linear_grokking.workflow.steps.manifest import list_runs

REPOSITORY = Path(__file__).parents[2]
STEPS = np.geomspace(1, 1000, 8)
SPECS = {hashed(spec, "code"): spec for spec in ({"lambda": 0.3}, {"lambda": 0.9}, {"d": 24})}
FIRST, SECOND, SETS = SPECS


def write(path, frame, schema=None, spec=None):
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    # A block is of the run whose folder it lies in.
    spec = canonical(spec or SPECS.get(path.parent.name, {}))
    provenance = {"revision": None, "fingerprint": "code"}
    write_table(table, path, spec=spec, provenance=provenance)


def run_history(scale):
    parts = []
    for realization in range(3):
        loss = scale * np.exp(-STEPS / 300) * (1 + 0.1 * realization)
        columns = {name: loss for name in ("train_loss", "gen_loss")}
        columns |= {name: 1 - 0.5 * loss / loss[0] for name in ("train_accuracy", "gen_accuracy")}
        parts.append(pd.DataFrame({"realization": realization, "step": STEPS, **columns}))
    return pd.concat(parts, ignore_index=True).astype({"realization": "int32"})


@pytest.fixture
def root(tmp_path):
    """A folder with two runs of Fig. A1 and one of separability, as the workflow leaves it."""
    rows = []
    for run_id, lambda_ in ((FIRST, 0.3), (SECOND, 0.9)):
        history = run_history(lambda_)
        folder = tmp_path / "results" / "histories" / run_id
        # Two blocks: the second holds one realization that is wanted and one that is not.
        write(folder / "0-1.parquet", history[history["realization"] < 2], LINEAR)
        extra = history[history["realization"] == 2]
        more = pd.concat([extra, extra.assign(realization=np.int32(3))])
        write(folder / "2-3.parquet", more, LINEAR)
        thresholds = {"threshold": 0.95, "loss_threshold": 1e-3}
        scalars = scalars_of(history, {"spec": {"measure": "dynamics"}, **thresholds})
        summary = frame(summary_of(history, scalars, "dynamics"))
        write(tmp_path / "results" / "scalars" / f"{run_id}.parquet", pd.DataFrame(scalars))
        write(tmp_path / "results" / "summaries" / f"{run_id}.parquet", summary)
        rows.append(
            {"run_id": run_id, "experiment": "a1_dynamics", "figures": ["A1"], "lambda": lambda_}
            | {"measure": "dynamics", "model": "linear", "d": None, "realizations": 3}
        )
    sets = pd.DataFrame(
        {"realization": [0, 1], "separable": [True, False], "certificate": ["direction", "hull"]}
        | {name: [np.nan, 1.0] for name in ("s_inf_norm", "positive_fraction", "positive_mean")}
        | {name: [0.5, np.nan] for name in ("margin", "box_margin", "box_norm")}
    )
    folder = tmp_path / "results" / "separability" / SETS
    write(folder / "0-1.parquet", sets, SEPARABILITY)
    rows.append(
        {"run_id": SETS, "experiment": "e1", "figures": ["B1", "B6"], "lambda": 0.48}
        | {"measure": "separability", "model": None, "d": 24, "realizations": 2}
    )
    shared = {"blocks": 1, "seconds": 1.0, "device": "cpu", "revision": "None"}
    write(tmp_path / "results" / "runs.parquet", pd.DataFrame([row | shared for row in rows]))
    shared = {"panel": "loss", "series": "generalization", "source": "theory", "lambda": 0.9}
    table = pd.DataFrame({"x": STEPS, "y": np.exp(-STEPS)}).assign(**shared)
    write(tmp_path / "figures" / "tables" / "A1.parquet", table, spec={"figure": "A1"})
    return tmp_path


def test_history_of_one_run_has_units_and_says_where_it_is_from(root):
    history = load.history("A1", lambda_=0.9, root=root)
    pd.testing.assert_frame_equal(history, run_history(0.9))
    assert history.attrs["units"]["step"] == "gradient-descent steps"
    assert history.attrs["run_ids"] == [SECOND]
    assert history.attrs["parameters"]["lambda"] == 0.9


def test_histories_of_several_runs_carry_what_tells_them_apart(root):
    history = load.history("a1_dynamics", root=root)
    assert list(history.columns[:3]) == ["run_id", "lambda", "realization"]
    assert history.groupby("lambda")["realization"].nunique().to_dict() == {0.3: 3, 0.9: 3}


READERS = {
    load.history: {"dynamics"},
    load.separability: {"separability"},
    load.outputs: {"outputs"},
    load.summary: {"dynamics", "separability", "outputs", "grokking_times"},
    load.scalars: {"dynamics", "separability", "outputs", "grokking_times"},
}


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_all_runs_of_a_measure_can_be_read_as_one_frame(smoke, reader):
    root, _ = smoke
    manifest = load.runs(root)
    frame = reader(root=root)
    of_measure = manifest[manifest["measure"].isin(READERS[reader])]
    assert set(frame.attrs["run_ids"]) == set(of_measure["run_id"])
    assert frame.columns.is_unique


@pytest.mark.parametrize("figure", ["A1", "B2", "B7", "B19"])
def test_the_runs_of_a_figure_can_be_read_as_one_frame(smoke, figure):
    root, plan = smoke
    points = [each for role in plan.figure_points(figure).values() for each in role]
    frame = load.scalars(figure, root=root)
    assert set(frame.attrs["run_ids"]) == {each.run_id for each in points}
    assert frame.columns.is_unique


def test_a_figure_has_the_runs_of_its_own_table_whatever_the_list_of_all_runs_says(root):
    # `snakemake A1` after an edit makes the table, and leaves the list of all runs as it was.
    parameters = {"lambda": 0.9, "measure": "dynamics", "model": "linear"}
    run = {"run_id": SECOND, "realizations": 2, "parameters": parameters}
    spec = {"figure": "A1", "options": {"dynamics": "mine"}, "runs": {"dynamics": [run]}}
    write(root / "figures/tables/A1.parquet", pd.DataFrame({"x": STEPS}), spec=spec)
    expected = run_history(0.9).query("realization < 2").reset_index(drop=True)
    for _ in range(2):
        history = load.history("A1", root=root)
        pd.testing.assert_frame_equal(history, expected)
        assert history.attrs["parameters"] == parameters
        with pytest.raises(ValueError, match=r"available values: 0\.9$"):
            load.scalars("A1", lambda_=0.3, root=root)
        (root / "results/runs.parquet").unlink(missing_ok=True)
    with pytest.raises(ValueError, match="such figure or experiment; made so far: A1, mine"):
        load.history("a1_dynamics", root=root)


def test_numbers_at_different_thresholds_are_not_mixed(root):
    """As after an edit of the threshold, when only some figures were made again."""
    folder = root / "results" / "scalars"
    for run_id, threshold in ((FIRST, 0.5), (SECOND, 0.95)):
        path = folder / f"{run_id}.parquet"
        write(path, pd.read_parquet(path), spec={"threshold": threshold, "loss_threshold": 1e-3})
    with pytest.raises(ValueError, match=r"threshold = 0\.5 and 0\.95: run snakemake$"):
        load.scalars("A1", root=root)
    assert len(load.scalars("A1", lambda_=0.9, root=root)) == 3


def test_the_list_of_all_runs_and_the_table_of_a_figure_give_the_same_frames(smoke, tmp_path):
    root, _ = smoke
    for figure in ("B2", "B19"):
        (tmp_path / figure).mkdir()
        (tmp_path / figure / "results").symlink_to((root / "results").resolve())
        # Without the table of the figure the list decides.
        listed = load.scalars(figure, root=tmp_path / figure)
        of_table = load.scalars(figure, root=root)
        assert set(of_table.columns) == set(listed.columns)
        order = ["run_id", "realization"]
        pd.testing.assert_frame_equal(
            *(each.sort_values(order, ignore_index=True) for each in (of_table, listed)),
            check_like=True,
            check_dtype=False,  # sizes are whole unless another run of the list has none
        )


def test_a_parameter_with_the_name_of_a_column_is_called_so(smoke):
    history = load.history("B2", root=smoke[0])
    assert set(history["bias_parameter"]) == {False, True}
    assert history.loc[history["bias_parameter"], "bias"].ne(0).any()
    found = load.scalars(root=smoke[0])
    assert {"margin_parameter", "box_margin_parameter", "bias"} <= set(found.columns)


def test_summary_scalars_separability_table_and_runs(root):
    summary = load.summary("A1", lambda_=0.1 + 0.2, root=root)
    assert {"gen_loss", "t_gen"} <= set(summary["quantity"])
    scalars = load.scalars("A1", root=root)
    assert list(scalars.columns[:3]) == ["run_id", "lambda", "realization"] and len(scalars) == 6
    assert scalars.attrs["units"]["grokking_time"] == "gradient-descent steps"
    assert scalars.attrs["units"]["final_gen_accuracy"] == "fraction of samples"
    assert scalars.attrs["units"]["min_gen_loss"] == "1"
    sets = load.separability("B6", root=root)
    assert sets["separable"].tolist() == [True, False] and sets.attrs["units"]["margin"]
    table = load.table("A1", root=root)
    assert table.attrs["spec"] == {"figure": "A1"}
    for shipped in (
        lambda: load.table("A1", root, size="config"),
        lambda: load.claims(root, size="config"),
    ):
        with pytest.raises(
            ValueError, match=r"^root = '.*': has no docs/gallery; must be a clone$"
        ):
            shipped()
    with pytest.raises(ValueError, match="size = 'papers': must be one of config, paper"):
        load.table("A1", root=root, size="papers")
    assert len(load.runs(root)) == 3


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda root: load.history("B2", root=root),
            "'B2'.*available: A1, B1, B6, a1_dynamics, e1",
        ),
        (lambda root: load.history("A1", lambda_=0.5, root=root), "available values: 0.3, 0.9"),
        (lambda root: load.history("A1", sigma=5, root=root), "no such parameter.*lambda"),
        (lambda root: load.history("A1", d=5, root=root), "no such run; available values: none$"),
        (lambda root: load.history("A1", lambda_=[0.3, 0.9], root=root), "^lambda_ = .*one value$"),
        (lambda root: load.history("B6", root=root), "B6 has no dynamics runs"),
        (lambda root: load.table("B1", root=root), "available tables: A1"),
    ],
)
def test_errors_say_what_exists(root, call, says):
    with pytest.raises(ValueError, match=says):
        call(root)


def test_without_a_manifest_runs_are_those_of_the_figures_that_were_made(smoke, tmp_path):
    root, _ = smoke
    (tmp_path / "figures" / "tables").mkdir(parents=True)
    shutil.copy(root / "figures" / "tables" / "B10.parquet", tmp_path / "figures" / "tables")
    (tmp_path / "results").mkdir()
    for folder in ("scalars", "separability"):
        (tmp_path / "results" / folder).symlink_to(root / "results" / folder)
    found = load.scalars("b10_adam", root=tmp_path)
    assert found.equals(load.scalars("b10_adam", root=root))
    assert found.equals(load.scalars("B10", solver="adam", root=tmp_path))
    with pytest.raises(ValueError, match=r"'B6': no such figure .* made so far: B10, b10_adam, "):
        load.separability("B6", root=tmp_path)


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="snakemake"):
        load.runs(tmp_path)


def test_a_project_of_formulas_alone_has_no_runs_and_says_so(tmp_path):
    list_runs({"runs": []}, [tmp_path / "results" / "runs.parquet"], tmp_path)
    assert load.runs(tmp_path).empty
    for reader, wanted in ((load.history, "dynamics runs"), (load.summary, "runs")):
        with pytest.raises(ValueError, match=f"^the manifest has no {wanted}$"):
            reader(root=tmp_path)
    with pytest.raises(ValueError, match="'A4': no such figure or experiment; available: none"):
        load.history("A4", root=tmp_path)


def test_import_is_light():
    script = "import sys; from linear_grokking import load; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    modules = set(loaded.stdout.split())
    assert not modules & {"torch", "matplotlib", "snakemake", "scipy.stats", "pydantic"}


def test_the_script_of_the_documentation_draws_a_plot(root):
    environment = os.environ | {"MPLBACKEND": "agg"}
    command = [sys.executable, str(REPOSITORY / "docs" / "own_plot.py"), "mine.png"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (root / "mine.png").stat().st_size > 10_000


def test_no_bit_that_flips_in_an_archive_is_a_traceback(tmp_path):
    table, path = tmp_path / "table.parquet", tmp_path / "archive.zip"
    write(table, pd.DataFrame({"run_id": [FIRST]}))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(table, "results/runs.parquet", zipfile.ZIP_STORED)
        for name in ("ro-crate-metadata.json", "config/config.yaml"):
            archive.writestr(name, f'{{"name": "{name}"}}')
    content = path.read_bytes()
    for place in range(0, len(content), 5):
        flipped = bytes([content[place] ^ 1 << place % 8])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
        for part in ("runs", "configuration", "metadata"):
            with suppress(LinearGrokkingError), load.open_archive(path) as opened:
                getattr(opened, part)()
