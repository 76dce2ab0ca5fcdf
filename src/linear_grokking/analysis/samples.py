"""The rows to analyze: read from a file, checked, split and scaled."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.lib.npyio import NpzFile

from linear_grokking.data.streams import generator
from linear_grokking.shapes import Float

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".npz", ".csv", ".parquet")
FEWEST_ROWS = 10
MOST_CLASSES = 10
"""Whole numbers that labels may take to be in doubt between classes and quantities."""
SIZES = (1e-100, 1e100)
"""Allowed magnitudes of the largest feature and the largest label: their squares are in range."""
Task = Literal["auto", "classification", "regression"]
TASKS: tuple[Task, ...] = ("auto", "classification", "regression")


@dataclass(frozen=True)
class Samples:
    """Rows that passed the checks.

    Attributes
    ----------
    features : (N, d) float64
    labels : (N,)
        Labels as given.
    names
        Names of the feature columns.
    """

    features: Float[np.ndarray, "N d"]
    labels: np.ndarray
    names: Sequence[str]


@dataclass(frozen=True)
class Split:
    """Training and held-out rows; labels are float64."""

    inputs: Float[np.ndarray, "N d"]
    labels: Float[np.ndarray, " N"]
    held_inputs: Float[np.ndarray, "M d"]
    held_labels: Float[np.ndarray, " M"]


def read(path: Path, label: str) -> Samples:
    """Read a file of rows.

    Parameters
    ----------
    path
        An ``.npz`` file with a matrix ``X`` and an array named ``label``; or a ``.csv`` or
        ``.parquet`` file with a column of that name, all other columns being features.
    label
        Name of the labels' array or column.

    Raises
    ------
    ValueError, OSError
        The message is one line: what is wrong, and what is allowed.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: unknown suffix; allowed are {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise ValueError(
            f"{path}: is a folder, not a file" if path.exists() else f"{path}: no such file"
        )
    return _read_npz(path, label) if path.suffix == ".npz" else _read_table(path, label)


def _read_npz(path: Path, label: str) -> Samples:
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, NpzFile):  # a single array, as np.save writes it
            raise ValueError
        with found:
            arrays = {name: found[name] for name in found.files if name in ("X", label)}
            names = found.files
    except (ValueError, zipfile.BadZipFile, EOFError):
        raise ValueError(f"{path}: not a readable .npz file of plain arrays") from None
    for name in ("X", label):
        if name not in arrays:
            raise ValueError(
                f"{path}: no array {name}; X (rows, features) and the labels {label} (--label) are "
                f"needed; the file holds {', '.join(names) or 'none'}"
            )
    return checked(arrays["X"], arrays[label])


def _read_table(path: Path, label: str) -> Samples:
    import pandas as pd

    try:
        frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError) as error:  # pandas and Arrow raise ValueErrors for bad contents
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: not a readable {path.suffix} file: {reason}") from None
    if path.suffix == ".csv":
        _check_header(path)
    if any(frame.index.names):  # pandas wrote a column of the file as an index
        frame = frame.reset_index()
    if label not in frame:
        raise ValueError(
            f"{path}: no column {label} for the labels (--label); it has "
            f"{', '.join(map(str, frame.columns[:8]))}{', …' if frame.shape[1] > 8 else ''}"
        )
    try:
        features, names = _of_frame(frame.drop(columns=label))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return checked(features, frame[label].to_numpy(), names)


def _check_header(path: Path) -> None:
    """Refuse a name that occurs twice; pandas would make up another one for its second column."""
    import pandas as pd

    header = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0].dropna()
    double = header[header.duplicated()]
    if len(double):
        raise ValueError(f"{path}: column {double.iloc[0]} occurs twice")


def _of_frame(frame: "pd.DataFrame") -> tuple[np.ndarray, list[str]]:
    """Return the features (N, d) of a data frame, with NaN for what is missing, and their names."""
    import pandas as pd

    names = [str(name) for name in frame.columns]
    kinds = zip(names, frame.dtypes, strict=True)
    words = [name for name, kind in kinds if not pd.api.types.is_numeric_dtype(kind)]
    if words:
        told = f"column{'s' if len(words) > 1 else ''} {', '.join(words)}"
        raise ValueError(f"{told}: not numeric, as features must be")
    for name in names:
        if name.startswith("Unnamed: "):  # the name that pandas gives
            raise ValueError(
                f"column {name.split()[1]} has no name; remove it if it is an index "
                "(to_csv with index=False), or name it"
            )
    return frame.to_numpy(np.float64, na_value=np.nan), names


def checked(features: Any, labels: Any, names: Sequence[str] | None = None) -> Samples:
    """Check features (N, d), an array or a data frame, and labels (N,).

    Raises
    ------
    ValueError
        With a message of one line.
    """
    if hasattr(features, "columns"):
        features, names = _of_frame(features)
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or features.shape[1] == 0:
        raise ValueError(f"X: shape {features.shape}; must be (rows, features)")
    if labels.shape == (len(features), 1):
        labels = labels[:, 0]
    if labels.shape != (len(features),):
        raise ValueError(
            f"labels: shape {labels.shape}; must be ({len(features)},), one for each row of X"
        )
    if len(features) < FEWEST_ROWS:
        raise ValueError(f"X: {len(features)} rows; must be at least {FEWEST_ROWS}")
    if features.dtype.kind not in "biuf":
        raise ValueError(f"X: entries of type {features.dtype}; must be real numbers")
    features = features.astype(np.float64)
    names = list(names or map(str, range(features.shape[1])))
    wrong = np.argwhere(~np.isfinite(features))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"X: row {row}, column {names[column]} is {features[row, column]}; "
            "must be a finite number"
        )
    if _missing(labels).any():
        row = np.flatnonzero(_missing(labels))[0]
        raise ValueError(f"labels: row {row} is {labels[row]}; must be a finite number or a name")
    for name, entries in (("X", features), ("labels", labels)):
        size = np.abs(entries.astype(float)).max() if entries.dtype.kind in "iuf" else 1.0
        if size and not SIZES[0] <= size <= SIZES[1]:
            raise ValueError(
                f"{name}: the largest absolute value is {size:.3g}; must be 0 or between "
                f"{SIZES[0]:g} and {SIZES[1]:g}: choose another unit"
            )
    constant = np.flatnonzero(np.all(features == features[0], axis=0))
    if len(constant):
        shown = ", ".join(names[k] for k in constant[:5]) + (", …" if len(constant) > 5 else "")
        raise ValueError(
            f"X: {len(constant)} constant columns ({shown}); remove them; classification trains a "
            "bias anyway"
        )
    return Samples(features, labels, names)


def _missing(labels: np.ndarray) -> np.ndarray:
    """Return a mask of the labels that are neither a finite number nor a name."""
    if labels.dtype.kind in "fc":
        return ~np.isfinite(labels)
    if labels.dtype.kind == "O":
        import pandas as pd  # which has a missing value of its own

        return pd.isna(labels)
    return np.zeros(len(labels), bool)


def task_of(labels: np.ndarray, task: Task) -> Literal["classification", "regression"]:
    """Return the task that labels call for: two distinct values are classes.

    A few whole numbers may be classes or quantities, and are not guessed at.

    Raises
    ------
    ValueError
        If the labels do not suit the requested task; the message is one line.
    """
    if task not in TASKS:
        raise ValueError(f"task = {task}: must be one of {', '.join(TASKS)}")
    number = len(np.unique(labels.astype(str) if labels.dtype.kind == "O" else labels))
    numeric = labels.dtype.kind in "biuf"
    if number < 2:
        raise ValueError(f"labels: all are {labels[0]}; must have at least two values")
    if task == "classification" or (task == "auto" and number == 2):
        if number > 2:
            raise ValueError(f"labels: {number} classes; classification needs two")
        return "classification"
    if not numeric:
        raise ValueError(
            f"labels: {number} different names; must be two classes, or real numbers for regression"
        )
    if task == "auto" and number <= MOST_CLASSES and np.all(labels == np.rint(labels)):
        raise ValueError(
            f"labels: {number} whole numbers, which may be classes; classification needs two, and "
            "task = regression takes them as they are"
        )
    return "regression"


def classes_of(labels: np.ndarray) -> tuple[Float[np.ndarray, " N"], tuple[str, str]]:
    """Return the labels (N,) as -1 and +1, and the names of the two classes in this order."""
    values = labels.astype(str) if labels.dtype.kind in "OUS" else labels
    names, which = np.unique(values, return_inverse=True)
    return 2.0 * which - 1.0, (str(names[0]), str(names[1]))


def split(
    features: Float[np.ndarray, "N d"],
    labels: Float[np.ndarray, " N"],
    *,
    held_out: float,
    seed: int,
) -> Split:
    """Hold out a random fraction of the rows, drawn from the random stream of a seed.

    Raises
    ------
    ValueError
        With a message of one line.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out = {held_out:g}: must lie between 0 and 1")
    if seed < 0:
        raise ValueError(f"seed = {seed}: must be at least 0")
    n_held = round(held_out * len(labels))
    if not 1 <= n_held <= len(labels) - 2:
        raise ValueError(
            f"held_out = {held_out:g}: leaves {len(labels) - n_held} of {len(labels)} rows for "
            "training; at least one row must be held out and two must be left"
        )
    order = generator(seed, {"rows": len(labels)}, 0, "held-out rows").permutation(len(labels))
    held, train = order[:n_held], order[n_held:]
    return Split(features[train], labels[train], features[held], labels[held])


def standardized(rows: Split, names: Sequence[str], *, labels: bool) -> Split:
    """Return rows with features of mean 0 and standard deviation 1 over the training rows.

    Parameters
    ----------
    labels
        Whether to subtract the training labels' mean from all labels, too.

    Raises
    ------
    ValueError
        If a feature does not vary over the training rows.
    """
    mean, deviation = rows.inputs.mean(axis=0), rows.inputs.std(axis=0)
    still = np.flatnonzero(deviation == 0)
    if len(still):
        raise ValueError(
            f"X: column {names[still[0]]} does not vary over the training rows: remove it"
        )
    shift = rows.labels.mean() if labels else 0.0
    return Split(
        (rows.inputs - mean) / deviation,
        rows.labels - shift,
        (rows.held_inputs - mean) / deviation,
        rows.held_labels - shift,
    )
