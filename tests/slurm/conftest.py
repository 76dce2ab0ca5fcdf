"""The cluster and the undisturbed results that the tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import Cluster, missing
from miniatures import Miniature
from workplace import Workplace

from linear_grokking.workflow.plan import Plan, read


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
def workplace(
    tmp_path: Path, cluster: Cluster, undisturbed: Callable[[Miniature], Path]
) -> Iterator[Callable[..., Workplace]]:
    """Make a folder whose jobs go to the cluster; none of them runs on after the test."""
    made = []

    def make(miniature: Miniature, *targets: str) -> Workplace:
        undisturbed(miniature)  # compiles the loops that jobs would otherwise start with
        made.append(Workplace(tmp_path / "cluster", miniature, cluster, targets))
        return made[-1]

    yield make
    for place in made:
        place.stop()


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
    make: Callable[[Plan], None],
    train: Callable[[Plan], None],
) -> Callable[[Miniature], Path]:
    """Give the folder with the results of a miniature, computed in this process."""
    made: dict[Miniature, Path] = {}

    def of(miniature: Miniature) -> Path:
        if miniature not in made:
            made[miniature] = tmp_path_factory.mktemp("local")
            work = train if miniature.targets else make
            work(Plan(read(miniature.config), made[miniature]))
        return made[miniature]

    return of
