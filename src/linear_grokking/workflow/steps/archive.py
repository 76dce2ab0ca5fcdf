"""The archive of all results, one file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.report.archive import write_archive
from linear_grokking.workflow.made_of import made_of


def pack(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Pack results, the configuration and what describes them.

    Parameters
    ----------
    request
        ``files``: the digest of each file by its name (`workflow.made_of`); the ``folders`` of the
        blocks behind them; the ``configuration`` and its ``sources``.
    """
    (output,) = outputs
    write_archive(request, output, root, made_of("archive", request))
