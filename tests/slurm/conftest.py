"""The cluster and the undisturbed results that the tests share."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster, missing
from miniatures import FIGURES, SLOW, SLOW_TARGET, SMALL, SMOKE
from workplace import Workplace


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that need a cluster."""
    if "cluster" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.slurm)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The one-node cluster, running."""
    if reason := missing():
        pytest.skip(f"no SLURM on this machine: {reason}")
    try:
        cluster = Cluster()
    except PermissionError as error:
        pytest.skip(f"no SLURM on this machine: {error}")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def workplace(tmp_path: Path, cluster: Cluster) -> Iterator[Callable[..., Workplace]]:
    """Make a folder whose jobs go to the cluster; nothing of it runs on after the test."""
    made = []

    def make(config: Mapping[str, Any]) -> Workplace:
        made.append(Workplace(tmp_path / "cluster", config, cluster))
        return made[-1]

    yield make
    for place in made:
        place.stop()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workplace]:
    """Give the results of a configuration, computed on this machine without a cluster."""
    made: dict[str, Workplace] = {}

    def of(name: str) -> Workplace:
        if name not in made:
            config, *targets = {
                "figures": (FIGURES,),
                "small": (SMALL,),
                "slow": (SLOW, SLOW_TARGET),
                "smoke": (SMOKE,),
            }[name]
            made[name] = Workplace(tmp_path_factory.mktemp("local") / name, config)
            made[name].run(*targets)
        return made[name]

    return of
