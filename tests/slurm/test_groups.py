"""Training jobs that share an allocation, where that is asked for."""

from miniatures import BLOCKS


def test_jobs_of_a_group_share_one_gpu_one_after_the_other(cluster, workplace, undisturbed):
    place = workplace(BLOCKS)
    place.run(GROKKING_SLURM_GROUP="3")
    place.assert_same_results(undisturbed(BLOCKS))
    groups = place.jobs()
    # Two runs, two blocks of sets, and the outputs: each kind is a group.
    assert len(groups) == 3
    for job in groups:
        assert "/group_" in job["StdOut"]
        assert job["TresPerJob"] == "gres:gpu:1"
        assert job["NumCPUs"] == "1"
