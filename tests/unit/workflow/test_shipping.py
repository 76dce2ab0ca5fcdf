"""What of a build comes with the repository."""

from pathlib import Path

import pytest

from linear_grokking.config import load_merged
from linear_grokking.workflow import shipping
from linear_grokking.workflow.plan import Plan, read

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    files = [REPOSITORY / path for path in shipping.CONFIGURATIONS["paper"]]
    return Plan(read(load_merged(files)), tmp_path_factory.mktemp("paper"))


def test_limit_directions_and_margins_of_large_sets_are_kept(paper):
    kept = set(shipping._kept(paper))
    for name in ("e1", "e2", "b_sets"):
        blocks = {
            block for point in paper.points[name] for block in paper.block_files(point.run_id)
        }
        assert blocks and blocks <= kept, name


def test_neither_histories_nor_what_is_made_in_a_moment_are_kept(paper):
    kept = shipping._kept(paper)
    assert {Path(name).parts[1] for name in kept} == {"separability"}
    cheap = {point.run_id for point in paper.points["b15_separability"]}
    assert not cheap & {Path(name).parent.name for name in kept}
