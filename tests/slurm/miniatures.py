"""Small configurations for the tests, and the files that are asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linear_grokking.config import load_merged
from linear_grokking.workflow.plan import Plan, read


@dataclass(frozen=True, eq=False)
class Miniature:
    """A configuration, and the files to be made; without these, all of them."""

    config: dict[str, Any]
    targets: tuple[str, ...] = ()


def _blocks(config: dict[str, Any]) -> Miniature:
    """Ask for a configuration's blocks only: each job of SLURM costs seconds."""
    plan = Plan(read(config))
    return Miniature(config, tuple(name for run in plan.runs for name in plan.block_files(run)))


# Every kind of training job, in seconds.
_every_kind = {
    "seed": 5,
    "experiments": {
        "a1_dynamics": {
            "model": "linear",
            "d_in": 30,
            "lambda": [0.5, 1.5],
            "realizations": 2,
            "n_gen": 100,
            "t_max": 1.0e4,
            "records": 20,
        },
        "e1": {"measure": "separability", "n_train": 40, "d": 15, "realizations": 4, "block": 2},
        # A job that would take all cores of a machine; here it gets one of the node's.
        "large": {"measure": "separability", "n_train": 20_000, "d": 650},
        "outputs": {
            "model": "logistic",
            "measure": "outputs",
            "n_train": 40,
            "d": 15,
            "sigma": 5,
            "t_max": 1.0e4,
            "realizations": 2,
        },
    },
    "figures": {},
}

BLOCKS = _blocks(_every_kind)

# One run of one block.
SMALL = _blocks(
    {
        "seed": 5,
        "experiments": {
            "small": {
                "model": "linear",
                "d_in": 30,
                "lambda": 0.5,
                "realizations": 2,
                "n_gen": 100,
                "t_max": 1.0e4,
                "records": 20,
            }
        },
        "figures": {},
    }
)

# Blocks that last long enough to be caught at work.
SLOW = _blocks(
    {
        "seed": 5,
        "device": "cpu",
        "experiments": {
            "slow": {
                "model": "logistic",
                "solver": "gradient_descent",
                "n_train": 40,
                "d": 16,
                "sigma": 5,
                "t_max": 4.0e6,
                "records": 20,
                "realizations": 5,
                "block": 1,
            }
        },
        "figures": {},
    }
)

_folder = Path(__file__).parents[2] / "config"
_smoke = load_merged([_folder / "config.yaml", _folder / "smoke.yaml"])

# One figure of the smoke configuration, from its training to its claims; its margins are those of
# the same runs, as each job of SLURM costs seconds.
SMOKE = Miniature(
    {
        **_smoke,
        "experiments": {"e1": _smoke["experiments"]["e1"] | {"margin": True}},
        "figures": {"B6": _smoke["figures"]["B6"] | {"margins": "e1"}},
    }
)
