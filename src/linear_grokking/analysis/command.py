"""`linear-grokking analyze`: options, output and files."""

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from linear_grokking.analysis.analyzing import Settings, prepared
from linear_grokking.analysis.classification import Classification, ClassificationAnalysis
from linear_grokking.analysis.regression import EPSILON, Regression, RegressionAnalysis
from linear_grokking.analysis.samples import TASKS, read
from linear_grokking.analysis.tables import as_json, table
from linear_grokking.runtime.files import check_place

RECORDS = 400
_BEYOND_FORECAST = 10.0
"""Length of a run, in units of the forecast time."""
_WITHOUT_FORECAST = 1e6

EPILOG = """\
All times are in steps of full-batch gradient descent from zero; classification trains a bias.
FILE.npz holds the matrix X (rows, features) and the labels; FILE.csv and FILE.parquet have a
column of labels, and all other columns are features.

Examples:
  linear-grokking analyze data.npz
  linear-grokking analyze data.csv --label=diagnosis --standardize
  linear-grokking analyze data.npz --lr=0.1 --run --out=analysis
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `linear-grokking analyze` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="rows: .npz, .csv or .parquet")
    add("--label", default="y", metavar="NAME", help="array or column of labels; default y")
    add("--task", choices=TASKS, help="auto: two values are classes")
    add(
        *("--held-out", "--held_out"),
        type=float,
        metavar="F",
        help="fraction of the rows that is held out; default %(default)s",
    )
    add("--seed", type=int, metavar="N", help="seed for choosing the held-out rows; default 0")
    add(
        *("--lr", "--eta"),
        dest="eta",
        type=float,
        metavar="R",
        help="learning rate; default %(default)s",
    )
    add(
        "--accuracy",
        type=float,
        metavar="A",
        help="accuracy whose time is forecast; default %(default)s",
    )
    add(
        "--epsilon",
        type=float,
        metavar="E",
        help="regression: a row is right if its squared error is at most E times the mean square "
        f"of the labels; default {EPSILON:g}",
    )
    add(
        "--standardize",
        action="store_true",
        help="first scale features to mean 0 and standard deviation 1, and shift real labels to "
        "mean 0",
    )
    add("--json", action="store_true", help="print the analysis as JSON")
    add(
        "--run",
        dest="follow",
        action="store_true",
        help="run gradient descent and write the result with the forecast",
    )
    add(
        "--until",
        type=float,
        metavar="T",
        help="last step of the run; default ten times the forecast, at least 1e6",
    )
    add("--out", type=Path, metavar="DIR", help="folder for the files of --run; default analysis")
    add("--force", action="store_true", help="replace the files of an earlier run")
    parser.set_defaults(**vars(Settings()))


def command(options: argparse.Namespace) -> None:
    """Analyze a file and print the result.

    Raises
    ------
    ValueError, OSError
        With a message of one line.
    """
    if not options.follow:
        for name in ("until", "out", "force"):
            if getattr(options, name):
                raise ValueError(f"--{name}: has no meaning without --run")
    folder = options.out or Path("analysis")
    if options.follow:
        from linear_grokking.analysis.picture import STEM, SUFFIXES

        made = [folder / f"{STEM}{suffix}" for suffix in SUFFIXES]
        check_place("out", folder, within=made, force=options.force)
    if options.until is not None and not 1 <= options.until < np.inf:
        raise ValueError(f"--until {options.until:g}: must be at least 1 and finite")
    settings = Settings(**{each.name: getattr(options, each.name) for each in fields(Settings)})
    problem = prepared(read(options.file, options.label), settings)
    found = problem.summary()
    told = as_json(found)
    if not options.json:
        print("\n".join(table(found)))
    if options.follow:
        spec = {"file": options.file.name, "label": options.label, **vars(settings)}
        told["run"] = run = _run(problem, found, options.until, folder, spec)
        if not options.json:
            print("\n".join(_compared(run, found)))
    if options.json:
        print(json.dumps(told, indent=1, allow_nan=False))


def _run(
    problem: Classification | Regression,
    found: ClassificationAnalysis | RegressionAnalysis,
    until: float | None,
    folder: Path,
    spec: dict[str, Any],
) -> dict[str, Any]:
    """Run gradient descent and write its files.

    Returns
    -------
    dict
        ``until``, the last step; ``t_train`` and ``t_gen``, the measured times, None if not
        reached by then; ``files``.
    """
    from linear_grokking.analysis import picture
    from linear_grokking.results.crossings import first_crossing
    from linear_grokking.solvers.trajectory import record_steps

    forecasts = {"training": found.t_train, "held-out": found.t_gen}
    times = {name: t for name, t in forecasts.items() if t is not None and np.isfinite(t)}
    last = until or _BEYOND_FORECAST * max([*times.values(), _WITHOUT_FORECAST / _BEYOND_FORECAST])
    steps = record_steps(np.rint(last), RECORDS)
    run = problem.run(steps)
    forecast = {f"forecast_{name}": curve for name, curve in problem.forecast(steps).items()}
    picture.write(folder, {"step": steps, **run, **forecast}, times, spec)
    measured = {}
    for series in ("train", "gen"):
        time = float(first_crossing(steps, run[f"{series}_accuracy"], found.accuracy))
        measured[f"t_{series}"] = time if np.isfinite(time) else None
    files = [str(folder / f"{picture.STEM}{suffix}") for suffix in picture.SUFFIXES]
    return {"until": last, **measured, "files": files}


def _compared(run: dict[str, Any], found: ClassificationAnalysis | RegressionAnalysis) -> list[str]:
    """Return lines that compare a run with its forecast."""
    lines = [""]
    for key, name in (("t_train", "training"), ("t_gen", "held-out")):
        time, expected = run[key], getattr(found, key)
        text = f"not within {run['until']:.3g} steps" if time is None else f"{time:.4g} steps"
        if time and expected is not None and np.isfinite(expected):
            text += f", forecast/measured = {expected / time:.3f}"
        lines.append(f"{f'run: {name} rows':<26}{text}")
    return [*lines, f"{'written':<26}{', '.join(run['files'])}"]
