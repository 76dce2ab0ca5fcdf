"""The device that a job runs on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def resolve(requested: str, *, computes_there: bool) -> str:
    """Return the device of a job, ``"cpu"`` or ``"cuda"``.

    Parameters
    ----------
    requested
        ``"auto"`` takes a GPU where there is one and the job computes on it.
    computes_there
        Whether the job computes on a GPU at all; else it stays on the CPU.

    Raises
    ------
    ValueError
        If a GPU is requested and there is none, or something else than these three.
    """
    if requested not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device = {requested}: must be auto, cpu or cuda")
    if requested == "cpu" or not computes_there:
        return "cpu"
    present = gpu_present()
    if requested == "cuda" and not present:
        raise ValueError("device = cuda: no GPU is visible; allowed here: cpu, auto")
    return "cuda" if present else "cpu"


def gpu_present() -> bool:
    """Tell whether torch sees a GPU, without importing torch where there is no driver."""
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/dxg").exists():
        return False
    import torch

    return torch.cuda.is_available()


def name(device: str) -> str:
    """Return the device's name for messages and the provenance."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return "CPU"


def mover(device: str) -> Callable[[np.ndarray], Any]:
    """Return what puts an array on the device: nothing on a CPU, where NumPy is at home."""
    if device == "cpu":
        return lambda array: array
    import torch

    return lambda array: torch.from_numpy(array).to(device)
