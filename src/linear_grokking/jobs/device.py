"""The device that a job runs on."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

CPU_ONLY = frozenset(
    {("linear", "spectral"), ("two_layer", "gradient_flow"), ("two_point", "exact_orbit")}
)
"""Models and solvers that stay on the CPU: a GPU would wait for their data, or the library
that integrates them knows none."""


def resolve(requested: str, spec: Mapping[str, Any]) -> str:
    """Return the device of a run, ``"cpu"`` or ``"cuda"``.

    Parameters
    ----------
    requested
        ``"auto"`` takes a GPU where there is one and the solver uses it.

    Raises
    ------
    ValueError
        If a GPU is requested and there is none.
    """
    if requested == "cpu" or (spec["model"], spec["solver"]) in CPU_ONLY:
        return "cpu"
    present = gpu_present()
    if requested == "cuda" and not present:
        raise ValueError("device = cuda: no GPU is visible; allowed here: cpu, auto")
    return "cuda" if present else "cpu"


def gpu_present() -> bool:
    """Tell whether torch sees a GPU, without importing torch where there is no driver."""
    from pathlib import Path

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
