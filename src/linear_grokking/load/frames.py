"""The loaders: one function for each kind of file, all of them exported by `load`."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from zipfile import Path as InArchive

import numpy as np
import pandas as pd
import pyarrow as pa

from linear_grokking.results import statistics
from linear_grokking.results.identity import FOLDERS, RECORDED
from linear_grokking.results.places import CLAIMS, MANIFEST, SHIPPED, Size
from linear_grokking.results.reading import read_blocks
from linear_grokking.results.scalars import TIMES
from linear_grokking.results.storage import metadata, read_table

_COLUMNS = {
    "gradient-descent steps": ("step", "conformal_time", "step_of_min_gen_loss", "t_max", *TIMES),
    "1 / gradient-descent step": ("eta",),
    "s": ("seconds",),
    "1": (
        *("train_loss", "gen_loss", "gen_loss_error", "bias", "positive_mean", "output"),
        *("output_mean", "output_deviation", "smallest_eigenvalue", "box_norm"),
    ),
    "fraction of samples": ("train_accuracy", "gen_accuracy", "positive_fraction"),
    "unit of the inputs": ("margin", "box_margin", "positive_projection", "along", "across"),
    "1 / unit of the inputs": ("weight_norm", "s_inf_norm"),
}
UNITS = {name: unit for unit, names in _COLUMNS.items() for name in names}
"""Units of columns; columns without an entry are names, counts or plain numbers."""

Root = str | Path | InArchive
"""A folder that holds results/ and figures/, or the equivalent path inside an archive."""


def runs(root: Root = ".") -> pd.DataFrame:
    """Return the manifest: one row per run and experiment, every parameter a column.

    Parameters
    ----------
    root
        Folder that holds results/ and figures/.

    Raises
    ------
    FileNotFoundError
        If nothing has been computed there yet.
    """
    return _whole(root, MANIFEST, "; `snakemake -c1 B8` makes a figure and its runs")


def claims(root: Root = ".", *, size: Size | None = None) -> pd.DataFrame:
    """Return the papers' claims and ours, with the measurements; arguments as for `table`.

    The claims that are shipped with the repository are rounded to the digits that a reader
    compares.
    """
    if size is None:
        return _whole(root, CLAIMS[-1])
    with (_shipped(root, size) / "claims.csv").open() as file:
        frame = pd.read_csv(file)
    # In CSV an empty text looks like a missing one.
    frame = frame.fillna(dict.fromkeys(frame.select_dtypes("str"), ""))
    frame.attrs = {"units": _units(frame)}
    return frame


def table(figure: str, root: Root = ".", *, size: Size | None = None) -> pd.DataFrame:
    """Return the tidy table that a figure is drawn from (docs/data.md).

    Parameters
    ----------
    figure
        ID of the figure, such as "B6".
    root
        Folder that holds results/ and figures/.
    size
        If given, return the table that is shipped with the repository instead of the one that was
        computed here; ``root`` is then a clone.  It was made with config/config.yaml (``"config"``)
        or at the papers' sizes (``"paper"``), at the revision in ``attrs["provenance"]``.

    Raises
    ------
    ValueError
        If there is no such table or no such size; the message names those that exist.  If ``size``
        is given and ``root`` is not a clone of the repository.

    Examples
    --------
    In a clone:

    >>> from linear_grokking import load
    >>> shares = load.table("B6", size="config").query("series == 'fraction'")
    >>> print(shares.loc[shares["x"] == 0.48, ["x", "y", "n"]].to_string(index=False))
       x     y    n
    0.48 0.203 2000
    """
    folder = _folder(root) / "figures/tables" if size is None else _shipped(root, size)
    present, path = _tables(folder), folder / f"{figure}.parquet"
    if figure not in present:
        known = ", ".join(present) or "none"
        fixed = size or isinstance(root, InArchive)
        hint = "" if fixed else '; Snakemake makes it, and size="config" reads the one of a clone'
        raise ValueError(
            f"figure = {figure!r}: there is no {path}; available tables: {known}{hint}"
        )
    return _one_file(path)


def _tables(folder: Path | InArchive) -> list[str]:
    """Return the figures whose tables are in a folder, if it exists."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(each.stem for each in files if each.suffix == ".parquet")


def history(name: str | None = None, *, root: str | Path = ".", **parameters: Any) -> pd.DataFrame:
    """Return losses, accuracies and other observables of all realizations against the step.

    Parameters
    ----------
    name
        A figure ("B1"), whose runs are those of its table; an experiment ("b1_dynamics"), or None
        for all runs, as listed by results/runs.parquet when all runs were last done or, without
        it, in the tables of the figures that were made.
    root
        Folder that holds results/ and figures/.
    parameters
        Values that the runs must have, by configuration key (``lambda_=0.48``).

    Returns
    -------
    DataFrame
        The columns that docs/data.md lists.  If there are several runs, these columns are preceded
        by ``run_id`` and the parameters in which the runs differ.  A parameter that has the name of
        a column becomes ``<key>_parameter``.

    Raises
    ------
    ValueError
        If no run matches; the message names what exists.
    FileNotFoundError
        If the list of all runs is needed and has not been made.
    """
    return _blocks("dynamics", name, root, parameters)


def separability(
    name: str | None = None, *, root: str | Path = ".", **parameters: Any
) -> pd.DataFrame:
    """Return verdicts, norms of the limit direction and margins; arguments as for `history`."""
    return _blocks("separability", name, root, parameters)


def outputs(name: str | None = None, *, root: str | Path = ".", **parameters: Any) -> pd.DataFrame:
    """Return the training outputs at the end of runs; arguments as for `history`."""
    return _blocks("outputs", name, root, parameters)


def summary(name: str | None = None, *, root: Root = ".", **parameters: Any) -> pd.DataFrame:
    """Return runs reduced over their realizations; arguments as for `history`.

    The rows hold medians, quantiles, means with standard errors, and counts, by quantity and step.
    """
    return _reduced("summaries", name, root, parameters, statistics.frame)


def scalars(name: str | None = None, *, root: Root = ".", **parameters: Any) -> pd.DataFrame:
    """Return one row per realization: grokking times, last values and the like.

    The arguments are as for `history`.
    """
    return _reduced("scalars", name, root, parameters, lambda rows: rows)


def _reduced(
    folder: str,
    name: str | None,
    root: Root,
    parameters: dict[str, Any],
    shaped: Callable[[pd.DataFrame], pd.DataFrame],
) -> pd.DataFrame:
    chosen = _chosen(root, name, parameters, None)
    tables = [
        read_table(_folder(root) / "results" / folder / f"{run_id}.parquet")
        for run_id in chosen["run_id"]
    ]
    specs = [metadata(each.schema)[0] for each in tables]
    for key in ("threshold", "loss_threshold"):
        found = sorted({spec[key] for spec in specs if key in spec})
        if len(found) > 1:
            told = " and ".join(map(str, found))
            raise ValueError(f"{folder} of these runs were made with {key} = {told}: run snakemake")
    return _joined(chosen, (shaped(each.to_pandas()) for each in tables))


def _blocks(
    measure: str, name: str | None, root: str | Path, parameters: dict[str, Any]
) -> pd.DataFrame:
    chosen = _chosen(root, name, parameters, measure)
    folder = Path(root) / "results" / FOLDERS[measure]
    sizes = zip(chosen["run_id"], chosen["realizations"], strict=True)
    return _joined(chosen, (read_blocks(folder / run_id, int(size)) for run_id, size in sizes))


def _chosen(
    root: Root, name: str | None, parameters: dict[str, Any], measure: str | None
) -> pd.DataFrame:
    """Return the manifest's rows that match, with each run once."""
    manifest = _listed(root, name)
    fits = np.ones(len(manifest), bool)
    if measure is not None:
        fits &= (manifest["measure"] == measure).to_numpy(bool)
    if name is not None:
        named = [name == row.experiment or name in row.figures for row in manifest.itertuples()]
        if not any(named):
            figures = sorted({each for row in manifest["figures"] for each in row})
            names = [*figures, *sorted(manifest["experiment"].unique())]
            known = ", ".join(names) or "none"
            there = "available" if (_folder(root) / MANIFEST).exists() else "made so far"
            raise ValueError(f"name = {name!r}: no such figure or experiment; {there}: {known}")
        fits &= np.array(named)
    if not fits.any():
        wanted = f"{measure} runs" if measure else "runs"
        raise ValueError(f"{name or 'the manifest'} has no {wanted}")
    for key, value in parameters.items():
        if not np.isscalar(value):
            raise ValueError(f"{key} = {value}: must be one value")
        column = key.removesuffix("_")
        if column not in manifest or column in RECORDED:
            known = ", ".join(sorted(set(manifest.columns) - RECORDED))
            raise ValueError(f"{key} = {value!r}: no such parameter; available: {known}")
        present = manifest.loc[fits, column]
        matching = _equal(manifest[column], value)
        if not (fits & matching).any():
            values = ", ".join(str(each) for each in sorted(present.dropna().unique())) or "none"
            raise ValueError(f"{key} = {value!r}: no such run; available values: {values}")
        fits &= matching
    return manifest[fits].drop_duplicates("run_id").reset_index(drop=True)


def _listed(root: Root, name: str | None) -> pd.DataFrame:
    """Return the manifest or, for a figure that was made, the runs that its table records.

    The manifest is only made once all runs are done, so that a single figure may be newer.  Without
    a manifest, the runs are those of all figures that were made.
    """
    made = _tables(_folder(root) / "figures/tables")
    if name in made:
        made = [name]
    elif (_folder(root) / MANIFEST).exists():
        made = []
    rows = [
        {key: run[key] for key in ("run_id", "realizations")}
        | {"experiment": spec["options"][role], "figures": [figure], **run["parameters"]}
        for figure in made
        for spec in [table(figure, root).attrs["spec"]]
        for role, points in spec.get("runs", {}).items()
        for run in points
    ]
    if not rows:
        return runs(root)
    # Through Arrow, like the manifest: parameters that a run does not have are None.
    return pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False).to_pandas()


def _equal(column: pd.Series, value: Any) -> np.ndarray:
    """Compare a column with a value, numbers up to rounding, so that 0.1 + 0.2 finds 0.3."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
        return np.isclose(numbers, value, rtol=1e-9, atol=0.0)
    return (column == value).to_numpy(bool, na_value=False)


def _joined(chosen: pd.DataFrame, parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the frames of runs, preceded by the columns that tell the runs apart."""
    keys = [key for key in chosen.columns if key not in RECORDED]
    differing = [key for key in keys if chosen[key].nunique(dropna=False) > 1]
    frames = list(parts)
    joined = pd.concat(frames, ignore_index=True)
    if len(chosen) > 1:
        told = chosen[["run_id", *differing]]
        told = told.loc[told.index.repeat([len(part) for part in frames])].reset_index(drop=True)
        # `bias` is both a switch of the configuration and an observable of the history.
        taken = {key: f"{key}_parameter" for key in differing if key in joined}
        joined = pd.concat([told.rename(columns=taken), joined], axis=1)
    joined.attrs = {"units": _units(joined), "run_ids": list(chosen["run_id"])}
    if len(chosen) == 1:
        row = chosen.iloc[0].drop(list(RECORDED), errors="ignore")
        joined.attrs["parameters"] = row.dropna().to_dict()
    return joined


def _folder(root: Root) -> Path | InArchive:
    return Path(root) if isinstance(root, str) else root


def _shipped(root: Root, size: Size) -> Path | InArchive:
    if size not in SHIPPED:
        raise ValueError(f"size = {size!r}: must be one of {', '.join(SHIPPED)}")
    folder = _folder(root) / SHIPPED[size]
    if not folder.is_dir():
        raise ValueError(f"root = {str(root)!r}: has no {SHIPPED[size]}; must be a clone")
    return folder


def _whole(root: Root, name: str, hint: str = "") -> pd.DataFrame:
    path = _folder(root) / name
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: not made yet; `snakemake -c1` makes it, after all runs{hint}"
        )
    return _one_file(path)


def _one_file(path: Path | InArchive) -> pd.DataFrame:
    table = read_table(path)
    frame, (spec, provenance) = table.to_pandas(), metadata(table.schema)
    frame.attrs = {"units": _units(frame), "spec": spec, "provenance": provenance}
    return frame


def _units(frame: pd.DataFrame) -> dict[str, str]:
    plain = {name: re.sub("^(final|initial|min|max)_", "", name) for name in frame.columns}
    return {name: UNITS[each] for name, each in plain.items() if each in UNITS}
