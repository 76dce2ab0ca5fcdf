"""The cluster, the configurations and the undisturbed results that the tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import Cluster, missing
from workplace import Workplace

# Every kind of training job, in seconds: two figures, and outputs for none.
FIGURES = {
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
    "figures": {
        "A1": {
            "dynamics": "a1_dynamics",
            "times": "a1_dynamics",
            "epsilon": [1.0e-3],
            "lambda": {"start": 0.1, "stop": 1.2, "points": 10},
        },
        "B6": {"statistics": "e1", "lambda": {"start": 0.1, "stop": 0.45, "points": 10}},
    },
}

# One run of one block.
SMALL = {
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

# Blocks that last long enough to be caught at work.
SLOW = {
    "seed": 5,
    "experiments": {
        "slow": {
            "model": "logistic",
            "solver": "gradient_descent",
            "n_train": 40,
            "d": 16,
            "sigma": 5,
            "t_max": 2.0e5,
            "records": 20,
            "realizations": 3,
            "block": 1,
        }
    },
    "figures": {},
}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that need a cluster."""
    if "cluster" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.slurm)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The one-node cluster, running."""
    if reason := missing():
        pytest.skip(f"no SLURM on this machine: {reason}")
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def workplace(tmp_path: Path, cluster: Cluster) -> Callable[..., Workplace]:
    """Make a folder whose jobs go to the cluster."""
    return lambda config, name="cluster": Workplace(tmp_path / name, config, cluster)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workplace]:
    """Give the results of a configuration, computed on this machine without a cluster."""
    made: dict[str, Workplace] = {}

    def of(name: str) -> Workplace:
        if name not in made:
            config = {"figures": FIGURES, "small": SMALL, "slow": SLOW}[name]
            made[name] = Workplace(tmp_path_factory.mktemp("local") / name, config)
            made[name].run()
        return made[name]

    return of
