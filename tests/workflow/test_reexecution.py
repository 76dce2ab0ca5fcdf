"""Which jobs run after which edit, and which do not: the whole set of them, each time.

Every build is preceded by a dry run that must announce the same jobs; where no more is asked
than which jobs these are, the dry run is all there is.
"""

import json
import os

import pyarrow.parquet as pq
import yaml

ALL_TRAINING = {
    "train linear/40/0.0 0-3",
    "train linear/10/0.0 0-3",
    "train linear/40/0.001 0-1",
    "train linear/40/0.01 0-1",
    "train sets/6 0-5",
    "train sets/14 0-5",
    "train flow 0-1",
    "train points 0-0",
}
FIGURES = {"A1", "A3", "B6"}


def made(*figures):
    """Return the jobs that make figures from their runs."""
    return {f"{step} {figure}" for figure in figures for step in ("tabulate", "draw")}


def drawn(*figures):
    """Return the jobs that make figures, and what follows from any figure's table."""
    return made(*figures) | {"check_claims"}


def summarized(training):
    return {f"summarize {job.split()[1]}" for job in training}


def test_all_jobs_run_at_first_and_none_again(built):
    done = set(json.loads((built.root / "first_build.json").read_text()))
    assert done == ALL_TRAINING | summarized(ALL_TRAINING) | drawn(*FIGURES) | {"list_runs"}
    assert built.would_do_nothing()


def test_edits_after_which_nothing_runs(repository):
    # Comments, the order of keys, and the way numbers are written.
    text = "# A comment.\n" + yaml.safe_dump(repository.configuration, sort_keys=True)
    for old, new in [
        ("- 2.0", "- 2      # twice as many inputs as samples"),
        ("- 0.001", "- 1.0e-3"),
        ("- 0.01", "- 1e-2"),
        ("t_max: 1000.0", "t_max: 1.0e+3"),
        ("realizations: 4", "realizations: 4.0"),
    ]:
        assert old in text
        text = text.replace(old, new)
    repository.write_configuration(text)
    assert repository.would_do_nothing()

    # A caption.
    repository.edit(
        "src/linear_grokking/report/text/A1.rst", ".. alt: ", "A word more.\n\n.. alt: "
    )
    assert repository.would_do_nothing()

    # Device, block size and threads.
    repository.configure("device", "auto")
    repository.configure("job_minutes", 0.5)
    repository.configure("experiments.lin.block", 1)
    repository.configure("experiments.sets.block", 100)
    assert repository.build(cores=1) == set()

    # Comments, docstrings and the code's layout.
    remark = '\n# A remark.\n"""And a text that stands alone."""\n\n\ndef '
    for name in ("solvers/spectral", "solvers/separability/verdict", "figures/a1", "data/laws"):
        repository.edit(f"src/linear_grokking/{name}.py", "\ndef ", remark)
    assert repository.would_do_nothing()


def test_value_added_to_a_grid_then_removed_then_all_as_it_was(repository):
    repository.configure("experiments.lin.lambda", [0.5, 1.0, 2.0])
    assert repository.build() == {
        "train linear/20/0.0 0-3",
        "summarize linear/20/0.0",
        "list_runs",
        *drawn("A1"),
    }
    repository.configure("experiments.lin.lambda", [1.0])
    assert repository.build() == {"list_runs", *drawn("A1")}
    repository.configure("experiments.lin.lambda", [0.5, 2.0])
    assert repository.announced() == {"list_runs", *drawn("A1")}


def test_more_realizations(repository):
    before = repository.history("linear/40/0.0").read_bytes()
    repository.configure("experiments.lin.realizations", 6)
    assert repository.build() == {
        "train linear/40/0.0 4-5",
        "train linear/10/0.0 4-5",
        "summarize linear/40/0.0",
        "summarize linear/10/0.0",
        "list_runs",
        *drawn("A1"),
    }
    assert repository.history("linear/40/0.0").read_bytes() == before


def test_style_sheet(repository):
    sheet = "src/linear_grokking/figures/linear_grokking.mplstyle"
    repository.edit(sheet, "font.size", "lines.linewidth: 2.5\nfont.size")
    assert repository.announced() == {"draw A1", "draw A3", "draw B6"}


def test_draw_of_one_figure_and_tabulate_of_another(repository):
    figures = "src/linear_grokking/figures"
    repository.edit(f"{figures}/a1.py", '"linewidth": 1.2', '"linewidth": 1.3')
    table = ("    return builder.frame()", "    return builder.frame().copy()")
    repository.edit(f"{figures}/b6.py", *table)
    assert repository.announced() == {"draw A1", *drawn("B6")}


def test_formula_of_a_solver_and_back(repository):
    solver = "src/linear_grokking/solvers/spectral.py"
    formula = ("np.exp(exponent), power)", "np.exp(1.01 * exponent), power)")
    repository.edit(solver, *formula)
    linear = {job for job in ALL_TRAINING if "linear" in job}
    expected = linear | summarized(linear) | drawn("A1", "A3") | {"list_runs"}
    assert repository.build() == expected
    repository.edit(solver, *reversed(formula))
    assert repository.announced() == drawn("A1", "A3") | {"list_runs"}


def test_seed(repository):
    del repository.configuration["figures"]["A3"], repository.configuration["figures"]["B6"]
    repository.configure("seed", 2)
    random = ALL_TRAINING - {"train points 0-0"}
    assert repository.announced() == random | summarized(random) | drawn("A1") | {"list_runs"}


def test_block_size_counts_where_blocks_are_missing(repository):
    repository.history("linear/40/0.0").unlink()
    repository.configure("experiments.lin.block", 2)
    assert repository.announced() == {
        "train linear/40/0.0 0-1",
        "train linear/40/0.0 2-3",
        "summarize linear/40/0.0",
        "list_runs",
        *drawn("A1"),
    }


def test_experiment_renamed(repository):
    experiments = repository.configuration["experiments"]
    experiments["linear_runs"] = experiments.pop("lin")
    repository.configure("figures.A1.dynamics", "linear_runs")
    repository.configure("figures.A1.times", "linear_runs")
    assert repository.announced() == {"list_runs", *drawn("A1")}


def test_another_figure_that_needs_runs_that_exist(repository):
    repository.configure("figures.A1.dynamics", "decay")
    repository.configure("figures.A1.times", "decay")
    assert repository.announced() == {"list_runs", *drawn("A1")}


def delete(path):
    path.unlink()


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path):
    path.write_bytes(os.urandom(path.stat().st_size))


def overwrite_middle(path):
    """Spoil the numbers and leave beginning and end as they were."""
    content = bytearray(path.read_bytes())
    content[10:60] = bytes(50)
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def of_another_run(path):
    other = next(each for each in path.parents[1].glob("*/*.parquet") if each != path)
    path.write_bytes(other.read_bytes())


def of_another_version(path):
    table = pq.read_table(path)
    metadata = table.schema.metadata | {b"schema_version": b"0"}
    pq.write_table(table.replace_schema_metadata(metadata), path)


UNREADABLE = "not a readable Parquet file"
HARMS = {
    # First, while the other run's file is still whole.
    "sets/6": (of_another_run, "holds a different run from the one in its name"),
    "linear/10/0.0": (delete, None),
    "linear/40/0.001": (truncate, UNREADABLE),
    "linear/40/0.01": (overwrite, UNREADABLE),
    "sets/14": (overwrite_middle, UNREADABLE),
    "flow": (of_another_version, "written by another version of this package"),
}


def test_damaged_histories(repository):
    before = repository.data()
    paths = {run: repository.history(run) for run in HARMS}
    for run, (harm, _) in HARMS.items():
        harm(paths[run])
    harmed = {run: path.read_bytes() for run, path in paths.items() if path.exists()}
    training = {job for job in ALL_TRAINING if job.split()[1] in HARMS}
    assert repository.build() == training | summarized(training) | drawn(*FIGURES) | {"list_runs"}
    for run, (_, problem) in HARMS.items():
        path, name = paths[run].relative_to(repository.root), paths[run].name
        if problem:
            assert f"{path}: {problem}; set aside as {name}.damaged" in repository.said
            assert paths[run].with_name(f"{name}.damaged").read_bytes() == harmed[run]
    assert repository.data() == before


def test_damaged_summary_table_and_manifest(repository):
    overwrite(repository.summary("linear/10/0.0"))
    empty(repository.root / "figures/tables/B6.parquet")
    table = repository.root / "figures/tables/A1.parquet"
    truncate(table)
    harmed = table.read_bytes()
    truncate(repository.root / "results/runs.parquet")
    # A figure's ID asks for the whole chain behind it, and looks at nothing else.
    assert repository.build("A1", "B6") == {"summarize linear/10/0.0", *made("A1", "B6")}
    assert repository.said.count("not a readable Parquet file; set aside") == 3
    assert "figures/tables/A1.parquet: not a readable Parquet file; set aside" in repository.said
    assert table.with_name("A1.parquet.damaged").read_bytes() == harmed
    assert table.read_bytes() != harmed
    assert not (repository.root / "results/runs.parquet.damaged").exists()


def test_dependency_in_the_lock_file(repository):
    def versions(name):
        metadata = pq.read_schema(repository.root / name).metadata
        return json.loads(metadata[b"provenance"])["versions"]

    repository.edit("requirements.txt", "piqp==", "piqp==99.")
    information = repository.root / "src" / "piqp-99.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: piqp\nVersion: 99.0\n")
    assert repository.would_do_nothing()
    repository.summary("sets/6").unlink()
    repository.build("B6")
    assert versions(repository.summary("sets/6"))["piqp"] == "99.0"
    assert versions(repository.summary("sets/14"))["piqp"] != "99.0"
