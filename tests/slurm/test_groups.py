"""Training jobs that share an allocation, where that is asked for."""

from miniatures import BLOCKS


def test_jobs_of_a_group_share_one_gpu_or_none_one_after_the_other(cluster, workplace, undisturbed):
    place = workplace(BLOCKS)
    place.run(
        GROKKING_SLURM_GROUP="4",
        GROKKING_SLURM_PARTITION="cpu",
        GROKKING_SLURM_GPU_PARTITION="gpu",
    )
    place.assert_same_results(undisturbed(BLOCKS))
    # Of a GPU are three blocks of sets, one of them large, and the outputs; two runs are not.
    on_cores, on_gpu = sorted(place.jobs(), key=lambda job: job["Partition"])
    for job in (on_cores, on_gpu):
        assert "/group_" in job["StdOut"]
        assert job["NumCPUs"] == "1"
    assert on_gpu["Partition"] == "gpu" and on_gpu["TresPerJob"] == "gres:gpu:1"
    assert on_cores["Partition"] == "cpu" and "TresPerJob" not in on_cores
    assert cluster.gpus(on_cores["JobId"]) == {""} and len(cluster.gpus(on_gpu["JobId"])) == 1
