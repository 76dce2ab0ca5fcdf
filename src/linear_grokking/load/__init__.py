"""Results as pandas data frames, for a notebook: ``from linear_grokking import load``.

Every frame says in ``attrs["units"]`` what its columns are measured in, and in
``attrs["run_ids"]`` (or ``attrs["provenance"]`` for one file) where its numbers come from.
Figures and experiments are named as in the configuration; parameters are given under their
configuration keys, ``lambda`` as ``lambda_``.  `open_archive` gives the same of an archive.
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
