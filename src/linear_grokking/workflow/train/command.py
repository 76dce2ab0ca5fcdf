"""`linear-grokking train`: one realization of one run, its files and a summary."""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from linear_grokking.config.fields import Count, Natural
from linear_grokking.config.messages import reader
from linear_grokking.jobs.kinds import Kind, data_of, kind_of, run_id
from linear_grokking.runtime import devices
from linear_grokking.runtime.checkpoints import NoCheckpoint, State
from linear_grokking.runtime.context import JobContext, OnRecord
from linear_grokking.runtime.files import write_json
from linear_grokking.runtime.progress import progress
from linear_grokking.solvers.trajectory import SolverError, record_steps
from linear_grokking.workflow.predict.options import (
    add_model_options,
    add_target_accuracy,
    given_options,
    in_options,
    spec_of,
    spellings,
)
from linear_grokking.workflow.predict.request import NAMES
from linear_grokking.workflow.predict.times import Prediction, predicted_times
from linear_grokking.workflow.steps.block import assemble, write_block
from linear_grokking.workflow.train.checkpoints import CheckpointWriter, checkpoint_steps
from linear_grokking.workflow.train.outputs import Outputs
from linear_grokking.workflow.train.summary import summarize, table

SECONDS_PER_TICK = 0.5

EPILOG = """\
Epochs are full-batch steps, and all times are in steps; everything else has no unit.
lambda = d_in/n_train is critical at 1 for 1layer and 2layer, and at 1/2 for logistic.
A sample counts as right if its squared error per output is at most the accuracy threshold;
for logistic, if its output has the sign of its label.  Weight decay g: a step subtracts
(lr g/d_out) S from the student S; for logistic, it subtracts lr g S from the weights and, with
--decay=all, also lr g b from the bias.

Files written: DIR/0-0.parquet, a history as the workflow writes it; with --checkpoints or
--checkpoint_every also DIR/checkpoint_epoch_*.pt, for torch.load(weights_only=True): `epoch`,
`spec`, `student` and `teacher` (a tensor each, for 2layer a list of both layers; for logistic
`student` and `bias`).

Examples:
  linear-grokking train
  linear-grokking train --d_in=500 --n_train=1000
  linear-grokking train --lambda=0.8
  linear-grokking train --solver=momentum --lr=0.49 --n_epochs=300
  linear-grokking train --solver=sgd --batch_size=32 --n_epochs=2e4
  linear-grokking train --architecture=2layer_linear --d_h=50 --d_out=5 --accuracy_threshold=1e-4
  linear-grokking train --architecture=logistic --sigma=5 --checkpoints=20
  linear-grokking train --architecture=logistic --weight_decay=1e-4 --decay=weights --d_in=600
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `linear-grokking train` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("--architecture", choices=NAMES, default="1layer", help="default 1layer")
    add_model_options(parser)
    _add_surroundings(parser.add_argument_group("run and output"))


def _add_surroundings(group: Any) -> None:
    group.add_argument(
        "--seed",
        type=reader(Natural),
        default=0,
        metavar="N",
        help="seed of data and initial weights; default 0",
    )
    group.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="auto uses a GPU if there is one and the solver can use it; default auto",
    )
    add_target_accuracy(group)
    group.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder to write to; default results/train/RUN_ID, with RUN_ID derived from the "
        "parameters",
    )
    group.add_argument(
        "--json",
        type=Path,
        nargs="?",
        const=Path("training_history.json"),
        metavar="FILE",
        help="also write history and summary as JSON; FILE is training_history.json if not given",
    )
    checkpoints = group.add_mutually_exclusive_group()
    checkpoints.add_argument(
        "--checkpoints",
        type=reader(Count),
        metavar="N",
        help="save the weights at step 0 and at N log-spaced steps; default none",
    )
    checkpoints.add_argument(
        *spellings("checkpoint_every"),
        type=reader(Count),
        metavar="N",
        help="save the weights every N steps and at the last step; default none",
    )
    group.add_argument("--force", action="store_true", help="replace files of an earlier run")


def command(options: argparse.Namespace) -> None:
    """Do one run, write its files and print its summary.

    Raises
    ------
    ValueError, OSError
        With one line per mistake.
    """
    spec = spec_of(NAMES[options.architecture], given_options(options), seed=options.seed)
    identity, kind = run_id(spec), kind_of(spec)
    outputs = Outputs(options.output or Path("results/train") / identity, options.json)
    outputs.check(force=options.force)
    steps = checkpoint_steps(spec["t_max"], options.checkpoints, options.checkpoint_every)
    if steps.size and data_of(spec) == "deferred":
        raise ValueError(
            f"--{'checkpoints' if options.checkpoints else 'checkpoint_every'} with --data = "
            "deferred: there is no input matrix to which saved weights could refer"
        )
    device = devices.resolve(options.device, computes_there=kind.on_gpu)
    started = time.monotonic()
    with outputs.staged() as folder:
        writer = CheckpointWriter(folder, spec, steps)
        try:
            rows = _run(kind, spec, device, writer.look, steps)
        except SolverError as error:
            raise SolverError(in_options(str(error), spec["model"])) from None
        except ValueError as error:
            raise ValueError(in_options(str(error), spec["model"])) from None
        record = write_block(rows, folder / outputs.history.name, spec, device, started)
    history = {name: rows.column(name).to_numpy() for name in rows.column_names[1:]}
    prediction = _prediction(spec, options.target_accuracy)
    if outputs.json is not None:
        summary = summarize(history, prediction, options.target_accuracy)
        content = {"run_id": identity, "spec": spec, "provenance": record, "summary": summary}
        write_json(outputs.json, content | {name: v.tolist() for name, v in history.items()})
    used = f"{record['seconds']:.1f} s on {record['device_name']}"
    print(f"{_title(options.architecture, spec)}; {used}\n")
    print("\n".join(table(history, prediction, options.target_accuracy)))
    print(f"\nhistory      {outputs.history}")
    if writer.written:
        print(f"checkpoints  {outputs.folder / writer.written[0]} … {writer.written[-1]}")
    if outputs.json is not None:
        print(f"JSON         {outputs.json}")


def _prediction(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Return the prediction, or none with the theory's objection; the run is done in any case."""
    try:
        return predicted_times(spec, accuracy)
    except ValueError as error:
        return Prediction(None, None, f"none; {in_options(str(error), spec['model'])}")


def _title(architecture: str, spec: Mapping[str, Any]) -> str:
    d_in = spec.get("d_in", spec.get("d"))
    sizes = f"d_in = {d_in}, n_train = {spec['n_train']}"
    return f"{architecture}, lambda = {d_in / spec['n_train']:.4g} ({sizes}), {spec['solver']}"


def _run(
    kind: Kind, spec: Mapping[str, Any], device: str, look: OnRecord, steps: np.ndarray
) -> pa.Table:
    """Compute realization 0 of a run as the workflow does, with a progress bar.

    Parameters
    ----------
    look
        Called with step and parameters at each record and at each of ``steps``.
    """
    recorded = record_steps(spec["t_max"], spec["records"])
    bar = progress(
        total=round(spec["t_max"]) if kind.literal else np.union1d(recorded, steps).size,
        description="training",
        unit="steps" if kind.literal else "records",
    )

    def follow(step: float, params: tuple[Any, ...]) -> None:
        look(step, params)
        bar.update(round(step) - bar.n if kind.literal else 1)

    context = JobContext(
        device=device,
        threads=devices.cores(),
        checkpoint=lambda _: _Ticks(bar) if kind.literal else NoCheckpoint(),
        on_record=follow,
        more_steps=steps,
    )
    with bar:
        ((realization, columns),) = kind.compute(spec, [0], context)
    ours = np.isin(columns["step"], recorded)
    return assemble(spec, {realization: {name: v[ours] for name, v in columns.items()}})


class _Ticks(NoCheckpoint):
    """Saves nothing, but moves a progress bar to the step of the state that is offered."""

    def __init__(self, bar: tqdm):
        self._bar = bar
        self._due = 0.0

    def offer(self, state: Callable[[], State]) -> None:
        """See `Checkpoint.offer`."""
        if time.monotonic() >= self._due:
            self._bar.update(int(state()["walker step"]) - self._bar.n)
            self._due = time.monotonic() + SECONDS_PER_TICK
