"""Training jobs that share an allocation, where that is asked for."""

import pytest
from miniatures import FIGURES


@pytest.mark.long
def test_jobs_of_a_group_share_one_gpu_one_after_the_other(cluster, workplace, undisturbed):
    place = workplace(FIGURES)
    place.run(GROKKING_SLURM_GROUP="3")
    expected = undisturbed("figures").tables()
    tables = place.tables()
    assert tables.keys() == expected.keys()
    assert all(tables[name].equals(table) for name, table in expected.items())
    groups = [job for job in place.jobs() if "/group_" in job["StdOut"]]
    # Two runs of A1, two blocks of B6, and the outputs: each kind is a group.
    assert len(groups) == 3
    for job in groups:
        assert job["TresPerJob"] == "gres:gpu:1"
        assert job["NumCPUs"] == "1"
