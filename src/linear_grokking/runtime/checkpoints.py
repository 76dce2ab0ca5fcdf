"""Checkpoints from which a killed job resumes.

A solver offers its state at every step; the checkpoint decides when a state is worth
writing.  `NoCheckpoint` never writes; tests and single calls use it.  `BlockCheckpoint` keeps
the state of the running solver and the finished realizations of a block.

Side files are written whole or not at all, hold plain arrays (no pickle), and carry the
identity of the work: spec, fingerprint of the code, block.  A file that is damaged or has
another identity is ignored.  Arrays keep their dtype, shape and memory order, so that an
interrupted job gives the same bits as an uninterrupted one.
"""

import contextlib
import io
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.runtime import signals
from linear_grokking.runtime.files import whole_file

State = Mapping[str, np.ndarray]

logger = logging.getLogger(__name__)

# Shortest pause after a write, in units of its duration: writing takes less than 2 % of the time.
PAUSE_PER_WRITE = 50

_REALIZATIONS = "block:realizations"  # beside the names of a solver's or a result's arrays

_stop_requested = threading.Event()


class Interrupted(LinearGrokkingError):
    """The job was asked to stop, and has saved what it can resume from."""


class Checkpoint(Protocol):
    """Where a solver's state survives the death of its process."""

    def restore(self) -> State | None:
        """Return the last saved state, or None where the solver starts afresh."""

    def offer(self, state: Callable[[], State]) -> None:
        """Save ``state()`` if it is time to; called once per solver step.

        Raises
        ------
        Interrupted
            After saving, where the job was asked to stop.
        """


class NoCheckpoint(Checkpoint):
    """A checkpoint that keeps nothing; the protocol's own methods do nothing."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Make signals that ask to stop mean "save and leave" inside the context.

    The next offer to a checkpoint saves and raises `Interrupted`.  The context must be entered
    in the main thread; further signals that arrive while the job is leaving change nothing.
    """
    try:
        with signals.answered(lambda *_: _stop_requested.set()):
            yield
    finally:
        _stop_requested.clear()


class BlockCheckpoint:
    """Finished realizations of a block, and the state of the running solver.

    Finished realizations go to part files, which are added and never rewritten; quick
    realizations share a part.  Realizations that finished earlier are written before a solver's
    state, so that a saved state implies that they are saved too.

    Realizations that a solver works on together are kept together or not at all: a batch takes
    common steps, so with other realizations in it the results would have other bits.

    Parameters
    ----------
    directory
        Folder of the side files of this block alone; created when first needed.
    identity
        What the files belong to: spec, fingerprint of the code, block.
    interval_s
        Shortest time between writes, in seconds.  Slow writes are rarer still, so that
        writing costs less than 2 % of the time.
    """

    def __init__(self, directory: str | os.PathLike, identity: str, interval_s: float = 30.0):
        self._directory = Path(directory)
        self._identity = identity
        self._interval_s = interval_s
        self._next_write = time.monotonic() + interval_s
        self._awaited: set[int] = set()
        self._arrived: dict[int, dict[str, np.ndarray]] = {}
        self._pending: dict[int, dict[str, np.ndarray]] = {}
        self._solver_path = self._directory / "solver.npz"
        self._solver_state = _read(self._solver_path, identity)

    def finished(self) -> dict[int, dict[str, np.ndarray]]:
        """Return the saved columns of each finished realization, by realization."""
        results = {}
        # A glob would silently find nothing in a folder that it may not read.
        names = os.listdir(self._directory) if self._directory.exists() else []
        for name in names:
            if name.startswith("finished-") and name.endswith(".npz"):
                results |= _unstack(_read(self._directory / name, self._identity) or {})
        return dict(sorted(results.items()))

    def solver(self, realizations: Sequence[int]) -> Checkpoint:
        """Return the checkpoint of the solver that works on these realizations.

        A state saved by a solver of other realizations is not restored.
        """
        self._awaited = set(realizations)
        return _BlockSolver(self, np.array(realizations, np.int64))

    def add(self, realization: int, columns: State) -> None:
        """Keep the results of a realization, once the others of its batch are there too.

        Raises
        ------
        Interrupted
            After saving, where the job was asked to stop.
        """
        self._arrived[realization] = {
            name: _plain_array(name, value).copy() for name, value in columns.items()
        }
        self._awaited.discard(realization)
        if not self._awaited:
            self._pending |= self._arrived
            self._arrived.clear()
            self._save_if_due(self._directory)

    def remove(self) -> None:
        """Delete the side files, once the block's result is safe."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _save_if_due(self, path: Path, solver: Callable[[], State] | None = None) -> None:
        """Write what is finished, and then the solver's state, if it is time to."""
        start = time.monotonic()
        stopping = _stop_requested.is_set()  # asked once: what stops has been saved
        kept = f"progress is in {path}"
        if stopping or start >= self._next_write:
            try:
                if self._pending:
                    part = self._directory / f"finished-{min(self._pending):08d}.npz"
                    _write(part, self._identity, _stack(self._pending))
                    self._pending.clear()
                if solver is not None:
                    _write(self._solver_path, self._identity, solver())
            except OSError as error:
                # The job goes on; it only has no safety net.
                logger.warning("cannot save progress in %s: %s", path, error)
                kept = "its progress since the last save is lost"
            stop = time.monotonic()
            self._next_write = stop + max(self._interval_s, PAUSE_PER_WRITE * (stop - start))
        if stopping:
            raise Interrupted(f"asked to stop; {kept}")


class _BlockSolver:
    """The solver's side file inside a block's folder."""

    def __init__(self, block: BlockCheckpoint, realizations: np.ndarray):
        self._block = block
        self._realizations = realizations

    def restore(self) -> State | None:
        state = dict(self._block._solver_state or {})
        if not np.array_equal(state.pop(_REALIZATIONS, np.array([])), self._realizations):
            return None
        logger.info("resuming from the state saved by a stopped job")
        return state

    def offer(self, state: Callable[[], State]) -> None:
        self._block._save_if_due(
            self._block._solver_path, lambda: {**state(), _REALIZATIONS: self._realizations}
        )


def _plain_array(name: str, value: object) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise ValueError(f"{name} must be an array of numbers or strings; got {value!r}")
    return array


def _stack(results: Mapping[int, State]) -> State:
    """Stack the columns of realizations whose columns have equal dtypes and shapes."""
    groups: dict[tuple, list[int]] = {}
    for realization, columns in results.items():
        signature = tuple((name, array.dtype.str, array.shape) for name, array in columns.items())
        groups.setdefault(signature, []).append(realization)
    stacks = {}
    for k, (signature, realizations) in enumerate(groups.items()):
        stacks[f"{k}:{_REALIZATIONS}"] = np.array(realizations)
        for name, *_ in signature:
            stacks[f"{k}:{name}"] = np.stack([results[index][name] for index in realizations])
    return stacks


def _unstack(stacks: State) -> dict[int, dict[str, np.ndarray]]:
    """Undo `_stack`."""
    results: dict[int, dict[str, np.ndarray]] = {}
    for key, stack in stacks.items():
        group, name = key.split(":", maxsplit=1)
        if name == _REALIZATIONS:
            results |= {int(index): {} for index in stack}
            continue
        for k, index in enumerate(stacks[f"{group}:{_REALIZATIONS}"]):
            results[int(index)][name] = stack[k, ...]
    return results


def _write(path: Path, identity: str, arrays: State) -> None:
    """Write arrays and identity as one file, whole or not at all."""
    # The prefix keeps names apart from the parameters of savez.
    named = {f"array:{name}": _plain_array(name, value) for name, value in arrays.items()}
    with whole_file(path) as temporary:
        np.savez(temporary, allow_pickle=False, header=np.array([identity, *named]), **named)


def _read(path: Path, identity: str) -> dict[str, np.ndarray] | None:
    """Return the arrays of a side file, or None where there is none to resume from.

    Raises
    ------
    OSError, MemoryError
        If the system fails to read the file, which may be intact.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            stored_identity, *names = file["header"].tolist()
            if stored_identity != identity:
                logger.warning("ignoring %s: it belongs to another spec or code", path)
                return None
            return {name.removeprefix("array:"): file[name] for name in names}
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive fails in a dozen ways
        logger.warning("ignoring %s: it is damaged (%r)", path, error)
        return None
