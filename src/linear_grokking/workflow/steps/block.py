"""One job of the workflow: the realizations of one block of one run, written as one file."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.jobs.kinds import kind_of, run_id
from linear_grokking.results.identity import RUN_ID, Block, canonical
from linear_grokking.results.storage import in_arrow, provenance, write_table
from linear_grokking.runtime import devices
from linear_grokking.runtime.checkpoints import BlockCheckpoint, Interrupted, interruptible
from linear_grokking.runtime.context import JobContext
from linear_grokking.runtime.progress import progress
from linear_grokking.shapes import Columns

logger = logging.getLogger(__name__)

_MAY_LACK_NUMBERS = ("separability", "grokking_times")
"""Measures with columns that are null where undefined, or inf for times that never come."""


class NonFiniteError(LinearGrokkingError, RuntimeError):
    """The numbers of a run overflowed; the message says what to change."""


class ChangedCodeError(LinearGrokkingError):
    """The code is no longer the one that the workflow was planned with."""


def train_block(
    request: Mapping[str, Any], outputs: Sequence[Path], *, device: str, threads: int
) -> None:
    """Compute a block of realizations and write its file, whole or not at all.

    A job that was killed resumes from the side files next to its output.

    Parameters
    ----------
    request
        ``spec`` of the run, and the ``block`` as ``first-last``.
    outputs
        The one file to write.

    Raises
    ------
    ChangedCodeError
        If the output lies in the folder of another run, because the code was edited after the
        workflow was planned.
    NonFiniteError
        If an observable is not finite because the run diverged.
    Interrupted
        If the job was asked to stop; its state has been saved.
    """
    started = time.monotonic()
    (output,) = outputs
    spec, block = request["spec"], Block.parse(request["block"])
    kind = kind_of(spec)
    identity = run_id(spec)
    # The folder is named after the run's spec and code at planning time.  If the code was edited
    # while the job waited, its numbers would end up among those of the old code.
    folder = output.absolute().parent.name
    if RUN_ID.fullmatch(folder) and folder != identity:
        raise ChangedCodeError(
            f"{output}: belongs to another run, not to {identity}; "
            "the code was edited after the workflow was planned: start it again"
        )
    used = devices.resolve(device, computes_there=kind.on_gpu)
    name = f"run {identity}, realizations {block}"
    logger.info("%s: %s %s on %s", name, spec["model"], spec["solver"], devices.name(used))
    if device == "auto" and kind.on_gpu and used == "cpu":
        logger.warning("the job holds a GPU, but torch sees none here: it computes on the CPU")
    code = kind.code(spec)
    side = output.with_name(f".{output.stem}.resume")
    checkpoint = BlockCheckpoint(side, f"{canonical(spec)} {code} {block}")
    finished: dict[int, Columns] = dict(checkpoint.finished())
    if finished:
        logger.info("resuming a stopped job: %d realizations done", len(finished))
    todo = [k for k in range(block.first, block.last + 1) if k not in finished]
    cost = kind.cost(spec)
    context = JobContext(
        device=used,
        threads=threads,
        host_bytes=cost.data_bytes,
        device_bytes=cost.device_bytes,
        checkpoint=checkpoint.solver,
    )
    # Limit the libraries to the job's threads, whatever the environment says.
    with threadpool_limits(threads), interruptible():
        done = kind.compute(spec, todo, context)
        for realization, columns in progress(done, total=len(todo), description=name):
            finished[realization] = columns
            try:
                checkpoint.add(realization, columns)
            except Interrupted:
                if len(finished) <= block.last - block.first:
                    raise  # or all is done, and only has to be written
    surroundings = {"threads": threads, "job_id": os.environ.get("SLURM_JOB_ID")}
    write_block(assemble(spec, finished), output, spec, used, started, **surroundings)
    checkpoint.remove()


def write_block(
    table: pa.Table, output: Path, spec: Mapping[str, Any], device: str, started: float, **more: Any
) -> dict[str, Any]:
    """Write the table of a block with its provenance, and return that.

    Parameters
    ----------
    started
        When the work began, by `time.monotonic`.
    more
        Further entries of the provenance.
    """
    record = provenance(
        device=device,
        device_name=devices.name(device),
        dtype=spec.get("dtype", "float64"),
        fingerprint=kind_of(spec).code(spec),
        seconds=round(time.monotonic() - started, 3),
        **more,
    )
    write_table(table, output, spec=canonical(spec), provenance=record)
    return record


def assemble(spec: Mapping[str, Any], finished: Mapping[int, Columns]) -> pa.Table:
    """Return the table of a block: the realizations in order, the columns as in the schema.

    Raises
    ------
    NonFiniteError
        If a dynamics or outputs column holds a number that is not finite.
    """
    parts = []
    for realization, columns in sorted(finished.items()):
        rows = len(next(iter(columns.values())))
        filled = {"realization": np.full(rows, realization, np.int32), **columns}
        if spec["measure"] not in _MAY_LACK_NUMBERS:
            _check_finite(realization, filled)
        parts.append(filled)
    schema = kind_of(spec).schema
    arrays = [in_arrow(np.concatenate([part[f.name] for part in parts]), f.type) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _check_finite(realization: int, columns: Columns) -> None:
    for name, values in columns.items():
        if not np.all(np.isfinite(values)):
            at = ""
            if "step" in columns:
                at = f" at step {columns['step'][np.argmin(np.isfinite(values))]:g}"
            raise NonFiniteError(
                f"realization {realization}: {name} is not finite{at}; the run diverged, or left "
                "the range of numbers: lower eta or t_max, and run again"
            )
