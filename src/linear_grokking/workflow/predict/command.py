"""`linear-grokking predict`: print the table, and write the curve to a file."""

import argparse
import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from linear_grokking.runtime.files import check_place, whole_file, write_json
from linear_grokking.workflow.predict import predict
from linear_grokking.workflow.predict.options import (
    add_model_options,
    add_target_accuracy,
    given_options,
    in_options,
)
from linear_grokking.workflow.predict.quantities import Predicted, table
from linear_grokking.workflow.predict.request import NAMES

FORMATS = (".csv", ".parquet")
STANDARD_OUTPUT = Path("-")

EPILOG = """\
The options are those of train, with the same defaults.  Times are in steps; everything else has no
unit.  Each number is listed below its source and the range in which its formula holds; if the
options lie outside that range, "outside" says what would be needed.

Examples:
  linear-grokking predict linear --lambda 0.9 --epsilon 1e-3
  linear-grokking predict linear --lambda 0.9 --optimizer momentum --lr 0.5
  linear-grokking predict two-layer --d_h 50 --d_out 5 --curve curve.csv
  linear-grokking predict logistic --lambda 0.46 --sigma 5 --weight_decay 1e-4 --decay weights
  linear-grokking predict logistic --lambda 0.46 --sigma 5 --optimizer adam --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `linear-grokking predict` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = "Show what theory predicts for a run, without running it."
    parser.epilog = EPILOG
    parser.add_argument("architecture", choices=NAMES, help="what is trained")
    add_model_options(parser)
    group = parser.add_argument_group("output")
    add_target_accuracy(group)
    group.add_argument(
        "--json",
        type=Path,
        nargs="?",
        const=STANDARD_OUTPUT,
        metavar="FILE",
        help="write the numbers as JSON; without FILE, to standard output instead of the table",
    )
    group.add_argument(
        "--curve",
        type=Path,
        metavar="FILE",
        help="write losses and accuracies at the recorded steps, as .csv or .parquet",
    )
    group.add_argument("--force", action="store_true", help="replace files that exist")


def command(options: argparse.Namespace) -> None:
    """Print the predictions, and write the requested files.

    Raises
    ------
    ValueError, OSError
        With one line per mistake.
    """
    to_file = None if options.json == STANDARD_OUTPUT else options.json
    for name, path in (("json", to_file), ("curve", options.curve)):
        if path is not None:
            check_place(name, path, force=options.force)
    if options.curve is not None and options.curve.suffix not in FORMATS:
        raise ValueError(f"--curve {options.curve}: must end in {' or '.join(FORMATS)}")
    if to_file and options.curve and to_file.resolve() == options.curve.resolve():
        raise ValueError(f"--json {to_file}: is the same file as the curve")
    given = given_options(options)
    predicted = predict(options.architecture, target_accuracy=options.target_accuracy, **given)
    curve = None
    if options.curve is not None:
        try:
            curve = predicted.curve()
        except ValueError as error:
            message = in_options(str(error), predicted.spec["model"])
            raise ValueError(f"--curve {options.curve}: {message}") from None
    if to_file is not None:
        write_json(to_file, _content(predicted))
    if curve is not None and options.curve is not None:
        _write(curve, options.curve, predicted)
    print(
        json.dumps(_content(predicted), indent=1, allow_nan=False)
        if options.json == STANDARD_OUTPUT
        else "\n".join([_title(predicted), *table(predicted)])
    )


def _title(predicted: Predicted) -> str:
    spec = predicted.spec
    rate = f", lr = {spec['eta']:g}" if "eta" in spec else ""
    return f"{spec['model']}, lambda = {spec['lambda']:.6g}{rate}, {spec['solver']}\n"


def _content(predicted: Predicted) -> dict:
    return {
        "spec": dict(predicted.spec),
        "accuracy": predicted.accuracy,
        "quantities": [quantity.plain() for quantity in predicted.quantities],
    }


def _write(curve: Mapping[str, np.ndarray], path: Path, predicted: Predicted) -> None:
    """Write a curve, whole or not at all; NaN becomes an empty field in CSV, null in Parquet."""
    if path.suffix == ".csv":
        with whole_file(path) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(curve)
            for row in zip(*curve.values(), strict=True):
                writer.writerow("" if np.isnan(value) else repr(float(value)) for value in row)
        return
    from linear_grokking.results.identity import canonical
    from linear_grokking.results.storage import provenance, write_columns

    spec = canonical({**predicted.spec, "made_by": "predict"})
    write_columns(curve, path, spec=spec, provenance=provenance())
