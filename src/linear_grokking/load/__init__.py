"""Results as pandas data frames, for a notebook: ``from linear_grokking import load``.

Every frame has the units of its columns in ``attrs["units"]`` and the origin of its numbers in
``attrs["run_ids"]`` (or in ``attrs["provenance"]``, if it is read from one file).  If it holds a
single run, ``attrs["parameters"]`` are those of the run; if it is read from one file,
``attrs["spec"]`` is what the file was made from.  The x and y of a figure's table have no units
there: theirs are those of the axes.  Figures and experiments have the names of the configuration,
and parameters are given by their configuration keys, with ``lambda_`` for ``lambda``.
`open_archive` offers the same for an archive.
"""

from linear_grokking.load.archive import Archive, open_archive
from linear_grokking.load.frames import (
    UNITS,
    claims,
    history,
    outputs,
    runs,
    scalars,
    separability,
    summary,
    table,
)

__all__ = [
    "UNITS",
    "Archive",
    "claims",
    "history",
    "open_archive",
    "outputs",
    "runs",
    "scalars",
    "separability",
    "summary",
    "table",
]
