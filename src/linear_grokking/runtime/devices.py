"""The device that a job runs on."""

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from linear_grokking.runtime import extras


def resolve(requested: str, *, computes_there: bool) -> str:
    """Return the device of a job, ``"cpu"`` or ``"cuda"``, made ready to compute there.

    Parameters
    ----------
    requested
        ``"auto"`` takes a GPU where there is one and the job computes on it.
    computes_there
        Whether the job can compute on a GPU at all; else it stays on the CPU.

    Raises
    ------
    ValueError
        If a GPU is requested but there is none, or torch is not installed; or if the request is
        none of ``"auto"``, ``"cpu"`` and ``"cuda"``.
    """
    if requested not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device = {requested}: must be auto, cpu or cuda")
    if requested == "cpu" or not computes_there:
        return "cpu"
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # before the libraries that read it are loaded
    if gpu_present():
        _multiply_in_full_precision()
        _take_a_card()
        return "cuda"
    if requested == "cuda" and not _torch_present():
        raise ValueError(f"device = cuda: a GPU needs {extras.how_to_get('torch')}")
    if requested == "cuda":
        raise ValueError("device = cuda: no GPU is visible; allowed here: cpu, auto")
    return "cpu"


def _multiply_in_full_precision() -> None:
    """Make torch multiply float32 on a GPU in full precision, not with TF32's 10 bits."""
    import torch

    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


@cache
def _take_a_card() -> None:
    """Take a GPU that no other job has taken, for as long as this process lives.

    Where all are taken, jobs share them.
    """
    import torch

    count = torch.cuda.device_count()
    if count > 1:
        # Jobs may see different cards, so their indices say nothing: use the cards' UUIDs.
        cards = [str(torch.cuda.get_device_properties(k).uuid) for k in range(count)]
        torch.cuda.set_device(_first_free(cards))


def _first_free(cards: Sequence[str]) -> int:
    """Lock the first card that nobody holds, and return its place in the list."""
    import fcntl

    for place, card in enumerate(cards):
        name = f"linear-grokking-{os.getuid()}-{card}.lock"
        # Never closed: the system releases the lock when the process ends, however it ends.
        lock = os.open(Path(tempfile.gettempdir(), name), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return place
        except BlockingIOError:
            os.close(lock)
    return os.getpid() % len(cards)


def cores() -> int:
    """Return how many cores this process may use; all where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpu_present() -> bool:
    """Tell whether torch sees a GPU, without importing torch where there is no driver.

    Without torch the answer is no, as this package could not use it.
    """
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/dxg").exists():
        return False
    if not _torch_present():
        return False
    import torch

    return torch.cuda.is_available()


def visible_gpus() -> int:
    """Return the number of GPUs of this machine that jobs could use."""
    if not gpu_present():
        return 0
    import torch

    return torch.cuda.device_count()


def _torch_present() -> bool:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def name(device: str) -> str:
    """Return the device's name for messages and the provenance."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return "CPU"


def mover(device: str) -> Callable[[np.ndarray], Any]:
    """Return a function that puts a NumPy array on the device; on a CPU it stays as it is."""
    if device == "cpu":
        return lambda array: array
    import torch

    return lambda array: torch.from_numpy(array).to(device)
