"""Runs on disk: canonical specs, identities, and the blocks they are computed in."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Spec = Mapping[str, Any]
"""Everything that determines the numbers of a run, by configuration key."""

FOLDERS = {
    "dynamics": "histories",
    "separability": "separability",
    "outputs": "outputs",
    "grokking_times": "grokking_times",
}
"""The folder under results/ for the files of each measure."""


RUN_ID = re.compile("[0-9a-f]{16}")
"""Pattern of the identities that `hashed` returns."""


RECORDED = frozenset(
    ("run_id", "experiment", "figures", "realizations", "blocks", "seconds", "device", "revision")
)
"""Columns of the run manifest that are not parameters."""


def canonical(spec: Spec) -> str:
    """Return a spec as canonical JSON: sorted keys, no spaces, no NaN."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hashed(spec: Spec, code: str) -> str:
    """Return the identity of a run: hash of its canonical spec and its code's fingerprint."""
    return hashlib.sha256((canonical(spec) + code).encode()).hexdigest()[:16]


@dataclass(frozen=True, order=True)
class Block:
    """Consecutive realizations ``first`` to ``last``, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @classmethod
    def parse(cls, text: str) -> "Block":
        """Parse a block from its form in file names.

        Raises
        ------
        ValueError
            If the text is not ``first-last`` with first ≤ last.
        """
        match = re.fullmatch(r"(\d+)-(\d+)", text)
        if not match or int(match[1]) > int(match[2]):
            raise ValueError(f"realizations = {text}: must be first-last, both included, like 0-9")
        return cls(int(match[1]), int(match[2]))


def blocks_in(folder: Path) -> list[Block]:
    """Return the blocks whose files are in a folder, in order; other files are ignored.

    Raises
    ------
    OSError
        If the folder exists but cannot be read.
    """
    found = []
    # A glob would silently find nothing in a folder that it may not read.
    with suppress(FileNotFoundError):
        for path in map(Path, os.listdir(folder)):
            with suppress(ValueError):
                found += [Block.parse(path.stem)] if path.suffix == ".parquet" else []
    return sorted(found)


def blocks(realizations: int, size: int, present: Iterable[Block] = ()) -> list[Block]:
    """Cut the realizations 0 … realizations - 1 into blocks, keeping those present.

    What is already on disk is used as it is, however it was cut; only the gaps are cut
    into blocks of ``size`` (at its multiples).  A block may overlap its neighbours or reach
    beyond the last realization: readers take each realization once.
    """
    chosen: list[Block] = []
    start = 0
    waiting = sorted(set(present), key=lambda block: (block.first, -block.last))
    while start < realizations:
        covering = [block for block in waiting if block.first <= start <= block.last]
        if covering:
            best = max(covering, key=lambda block: block.last)
            chosen.append(best)
            start = best.last + 1
            continue
        ahead = [block.first for block in waiting if block.first > start]
        stop = min([realizations, (start // size + 1) * size, *ahead])
        chosen.append(Block(start, stop - 1))
        start = stop
    return chosen
