"""Runs: canonical specs, their identities, and the blocks they are computed in."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from linear_grokking.fingerprint import fingerprint

KINDS = {"dynamics": "histories", "separability": "separability", "outputs": "outputs"}
"""The folder under results/ of what each measure writes."""


def canonical(spec: Mapping[str, Any]) -> str:
    """Return a spec as canonical JSON: sorted keys, no spaces, no NaN."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)


def job(spec: Mapping[str, Any]) -> str:
    """Return the function ``"module:name"`` that computes a run, by model and solver.

    Raises
    ------
    ValueError
        If the spec lacks one of the keys that say so.
    """
    for key in ("measure", "model", "solver"):
        if key not in spec:
            raise ValueError(f"the spec of a run needs measure, model and solver; {key} is missing")
    module = "separability" if spec["measure"] == "separability" else spec["model"]
    return f"jobs.{module}:{spec['solver']}"


@cache
def code_fingerprint(entry: str) -> str:
    """Return the fingerprint of an entry point, computed once per process."""
    return fingerprint([entry])


@dataclass(frozen=True)
class Run:
    """One grid point of an experiment, all parameters fixed.

    Attributes
    ----------
    spec
        What the numbers depend on.
    realizations
        How many are wanted: the most that any experiment asks of this spec.
    block
        Realizations per job.
    """

    spec: Mapping[str, Any]
    realizations: int
    block: int

    @property
    def code(self) -> str:
        """Fingerprint of the code that computes the run."""
        return code_fingerprint(job(self.spec))

    @property
    def run_id(self) -> str:
        """Identity: hash of spec and code."""
        return run_id(self.spec)

    @property
    def folder(self) -> str:
        """Folder of the run's blocks."""
        return f"results/{KINDS[self.spec['measure']]}/{self.run_id}"


def run_id(spec: Mapping[str, Any]) -> str:
    """Return the identity of a run: hash of its canonical spec and of its code."""
    text = canonical(spec) + code_fingerprint(job(spec))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, order=True)
class Block:
    """Consecutive realizations ``first`` to ``last``, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @classmethod
    def parse(cls, text: str) -> "Block":
        """Read a block as it stands in a file's name.

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
    """Return the blocks whose files lie in a folder, in order; other files are no concern."""
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    found = filter(None, (re.fullmatch(r"(\d+)-(\d+)\.parquet", name) for name in names))
    every = sorted(Block(int(match[1]), int(match[2])) for match in found)
    return [block for block in every if block.first <= block.last]


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
