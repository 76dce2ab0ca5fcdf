"""How each command that README.md and docs/ show is executed by a test, or why it is not."""

from dataclasses import dataclass

from copies import REPOSITORY

from linear_grokking.config import load
from linear_grokking.workflow.plan import read


@dataclass(frozen=True)
class Here:
    """It runs here: as shown, with more options, or with another command in its place."""

    more: str = ""
    instead: str = ""
    small: bool = False
    """Whether it runs in the copy with the small configuration."""
    makes: str = ""
    """A file that it creates."""


@dataclass(frozen=True)
class By:
    """Another test runs it: ``file::function``, under tests/."""

    test: str


@dataclass(frozen=True)
class Not:
    """It is not executed, for a reason."""

    reason: str


FIGURES = list(read(load(REPOSITORY / "config" / "config.yaml")).figures)
MENTIONED = Not("names a command in a sentence, without what it needs")
DRY_RUNS = By(
    "slurm/test_dry_runs.py"
    "::test_what_is_documented_submits_jobs_that_are_warned_and_hold_what_they_use"
)
WATCHED = By("workflow/test_watching.py::test_what_is_built_is_all_done")
LISTED = By("slurm/test_smoke.py::test_the_documented_list_of_jobs_can_be_had")
KILLED = By("slurm/test_faults.py::test_after_kill_9_of_snakemake_the_documented_recipe_recovers")
INSTALLED = By("unit/test_wheel.py::test_extras_are_what_the_rest_imports")
EXAMPLES = By("unit/test_wheel.py::test_examples_of_the_documentation_run_there")
ARCHIVED = By("report/test_archive.py::test_it_is_made_once_and_so_is_what_it_holds")
ANALYZED = By("unit/analysis/test_analyze_command.py::test_the_guide_is_true")
PHYSICS = By(
    "workflow/test_documentation.py::test_the_worked_examples_of_physics_followed_literally"
)
OWN_FIGURE = By(
    "workflow/test_documentation.py::test_the_worked_example_of_a_figure_followed_literally"
)

COMMANDS: dict[str, dict[str, Here | By | Not]] = {
    "README.md": {
        "make figures": Here(small=True, makes="figures/A1.pdf"),
        "make test": Here(instead="make --dry-run test"),
        "make .venv/.complete": Here(),
        "make figures PYTHON=python3.13": Here(instead="make --dry-run figures PYTHON=python3.13"),
        "python -c 'from linear_grokking import load; "
        'print(load.table("B6", size="config"))\'': Here(),
        "linear-grokking predict logistic --lambda 0.46 --sigma 5": Here(),
        "linear-grokking analyze classes.npz": ANALYZED,
        "pip install .": INSTALLED,
        "linear-grokking plan": Here(),
        # All figures together: each waits for the plan of all.
        **{f"snakemake -c2 {each}": Not("a dry run of all together") for each in FIGURES},
        f"snakemake -c2 {FIGURES[0]}": Here(more=f"{' '.join(FIGURES[1:])} --dry-run --quiet"),
        **{f"snakemake -c2 {each}": ARCHIVED for each in ("X1", "report", "archive")},
        "snakemake -c2": Here(small=True),
        "snakemake -n": Here(small=True),
        "snakemake -c16 --configfile config/config.yaml config/paper.yaml": Here(
            more="--dry-run --quiet"
        ),
        "make paper-size": Here(instead="make --dry-run paper-size"),
        "snakemake -c2 --configfile config/config.yaml config/smoke.yaml": Here(
            more="--dry-run --quiet"
        ),
        "linear-grokking train --help": Here(),
        "linear-grokking clean-stale": Here(small=True),
        "snakemake -c2 -s REPOSITORY/Snakefile --directory FOLDER": By(
            "workflow/test_other_folders.py::test_another_working_directory"
        ),
        "snakemake --profile slurm": DRY_RUNS,
        "linear-grokking watch": Here(small=True, more="--once"),
        "make docs": By("report/test_site.py::test_links_lead_to_files_and_to_places_in_them"),
        "make lint": Here(instead="make --dry-run lint"),
        "make bench": Here(instead="make --dry-run bench"),
    },
    "docs/add_a_figure.md": {
        "snakemake -c2 B23": OWN_FIGURE,
        "pytest -q tests/unit/report/test_captions.py -k B23": OWN_FIGURE,
        "snakemake -n B23": OWN_FIGURE,
        "snakemake -c2 check_claims": OWN_FIGURE,
        "make schema": Here(),
        "make gallery": Here(small=True),
    },
    "docs/add_a_law.md": {
        "linear-grokking train --law": MENTIONED,
        "linear-grokking schema > config/schema.json": PHYSICS,
        "pytest -q tests/unit/data/test_laws.py": PHYSICS,
        "linear-grokking train --architecture=logistic --law=outliers --outlier_scale=5 "
        "--d_in=40 --n_train=100 --n_epochs=1e4": PHYSICS,
    },
    "docs/add_a_loss.md": {
        "linear-grokking train --loss": MENTIONED,
        "linear-grokking schema > config/schema.json": PHYSICS,
        "pytest -q tests/unit/models/test_losses.py -k squareplus": PHYSICS,
        "linear-grokking train --architecture=logistic --loss=squareplus "
        "--d_in=40 --n_train=100 --n_epochs=1e4": PHYSICS,
    },
    "docs/add_a_model.md": {
        "linear-grokking schema > config/schema.json": PHYSICS,
        "pytest -q tests/unit/models/test_diagonal_model.py tests/unit/jobs/test_kinds.py": PHYSICS,
    },
    "docs/add_a_solver.md": {
        "linear-grokking schema > config/schema.json": PHYSICS,
        "pytest -q tests/unit/jobs/test_kinds.py": PHYSICS,
        "pytest -q tests/unit/solvers/test_solver_contract.py -k adagrad": PHYSICS,
        "linear-grokking train --architecture=1layer --solver=adagrad "
        "--initial_accumulator=0.2 --d_in=50 --n_train=100 --n_epochs=1e4": PHYSICS,
    },
    "docs/analyze.md": {
        "linear-grokking analyze FILE": MENTIONED,
        "linear-grokking analyze classes.npz": ANALYZED,
        "linear-grokking analyze classes.npz --run --out=made": ANALYZED,
        "linear-grokking analyze real.npz": ANALYZED,
    },
    "docs/benchmarks.md": {
        "make bench": Not("measures for many minutes; README.md's is a dry run"),
        "python -m benchmarks": Here(more="--help"),
        "python -m benchmarks figures": Not("makes all figures from nothing"),
        "linear-grokking plan": MENTIONED,
    },
    "docs/cluster.md": {
        "snakemake --profile slurm --configfile config/config.yaml config/paper.yaml": DRY_RUNS,
        "snakemake --profile slurm --configfile config/config.yaml config/smoke.yaml": DRY_RUNS,
        "GROKKING_SLURM_GPUS=0 snakemake --profile slurm "
        "--configfile config/config.yaml config/paper.yaml": DRY_RUNS,
        "GROKKING_SLURM_GROUP=20 snakemake --profile slurm": DRY_RUNS,
        "make .venv/.complete": Here(),
        "linear-grokking watch": WATCHED,
        'squeue --me --format="%.10i %.9P %.9T %.10M %.10l %k"': LISTED,
        "linear-grokking plan --configfile config/paper.yaml --gpus 0 1 8 64 --cores 64": By(
            "slurm/test_dry_runs.py"
            "::test_the_documented_forecast_is_what_the_documented_command_prints"
        ),
        'run=$(grep --no-filename "SLURM run ID" .snakemake/log/*.log '
        '| tail -n 1 | sed "s/.*: //")': KILLED,
        'scancel --name "$run"': KILLED,
        'while [ -n "$(squeue --noheader --name "$run")" ]; do sleep 2; done': KILLED,
        "snakemake --unlock": KILLED,
        "snakemake --profile slurm": KILLED,
    },
    "docs/data.md": {
        "linear-grokking clean-stale": MENTIONED,
        "snakemake -c2 archive": MENTIONED,
    },
    "docs/library.md": {
        "pip install .": INSTALLED,
        "pip install '.[workflow]'": INSTALLED,
        "pip install '.[gpu]'": INSTALLED,
        "pip install '.[docs]'": INSTALLED,
        "make figures": MENTIONED,
        "linear-grokking predict": MENTIONED,
        "linear-grokking train": MENTIONED,
        "linear-grokking plan": MENTIONED,
        "linear-grokking watch": MENTIONED,
        "linear-grokking predict linear --lambda 0.9 --epsilon 1e-3": EXAMPLES,
        "linear-grokking predict linear --lambda 0.9 --optimizer momentum --lr 0.5": EXAMPLES,
        "linear-grokking predict logistic --lambda 0.46 --sigma 5 --weight-decay 1e-4": EXAMPLES,
        "linear-grokking predict logistic --lambda 0.46 --sigma 5 --curve accuracy.csv": EXAMPLES,
    },
    "docs/theory.md": {"linear-grokking analyze": MENTIONED},
}
"""The commands of each page: all lines of its blocks, and those within sentences."""
