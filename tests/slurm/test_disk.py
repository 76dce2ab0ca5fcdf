"""A disk that is full, or cannot be written, costs a clear error and nothing else."""

import subprocess
from contextlib import contextmanager

import pytest
from miniatures import SMALL


@contextmanager
def small_disk(folder):
    """Mount a disk of 64 kB on a folder."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_and_one_that_cannot_be_written(workplace, undisturbed):
    place = workplace(SMALL)
    results = place.folder / "results"
    with small_disk(results):
        filler = results / "filler"
        filler.write_bytes(bytes(60 * 1024))
        code, said = place.start("--retries", "0").wait()
        assert code == 1
        assert "error: [Errno 28]" in said and "No space left on device" in said
        assert list(results.rglob("*.parquet*")) == [] == place.leftovers(besides="filler")

        subprocess.run(["mount", "-o", "remount,ro", str(results)], check=True)
        code, said = place.start("--retries", "0").wait()
        assert code == 1
        assert "error: [Errno 30] Read-only file system" in said and "Traceback" not in said
        assert list(results.rglob("*.parquet*")) == []

        subprocess.run(["mount", "-o", "remount,rw", str(results)], check=True)
        filler.unlink()
        place.run()
        place.assert_same_results(undisturbed(SMALL))
