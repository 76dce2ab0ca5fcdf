"""A small configuration for the tests of the report, and how it is run."""

from pathlib import Path

import snakemake_server
from copies import environment

POINTS = {"points": 5}
CONFIGURATION = {
    "seed": 1,
    "device": "cpu",
    "experiments": {
        "lin": {
            "model": "linear",
            "d_in": 60,
            "lambda": [0.5, 1.5],
            "realizations": 4,
            "n_gen": 50,
            "t_max": 10000.0,
            "records": 30,
        },
        "sets": {"measure": "separability", "n_train": 30, "d": [9, 12], "realizations": 30},
        "flow": {
            "model": "logistic",
            "n_train": 30,
            "d": [9, 18],
            "sigma": 5,
            "t_max": 1e9,
            "records": 20,
            "realizations": 3,
        },
        "margins": {
            "measure": "separability",
            "n_train": 30,
            "d": [9, 18],
            "sigma": 5,
            "margin": True,
            "realizations": 3,
        },
    },
    "figures": {
        "A1": {
            "dynamics": "lin",
            "times": "lin",
            "epsilon": [0.001],
            "lambda": {"start": 0.3, "stop": 1.2, **POINTS},
        },
        "A4": {
            "gamma": {"start": 1e-6, "stop": 1e-1, "points": 12},
            "d_out": {"start": 1, "stop": 1000, "points": 12},
            "lambda": {"start": 0.1, "stop": 1.5, "points": 12},
            "fixed": {"lambda": 0.9, "d_out": 1, "gamma": 0},
        },
        "B1": {
            "dynamics": "flow",
            "separability": "margins",
            "statistics": "sets",
            "final_dynamics": "flow",
            "final_separability": "margins",
            "lambda": {"start": 0.2, "stop": 0.7, **POINTS},
        },
        "B6": {
            "statistics": "sets",
            "margins": "margins",
            "lambda": {"start": 0.3, "stop": 0.45, **POINTS},
        },
    },
}

MADE = ("all", "X1", "report", "archive")
"""What Snakemake is asked to make."""


def snakemake(root: Path, *arguments: str) -> tuple[int, str]:
    """Run snakemake in a folder; return its exit status and what it says."""
    return snakemake_server.run(["--cores", "2", *arguments], root, environment(root))
