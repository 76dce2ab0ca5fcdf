"""A folder in which Snakemake runs the workflow, and what the tests ask about it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from cluster import Cluster, until
from miniatures import Miniature

from linear_grokking.results.places import CLAIMS

REPOSITORY = Path(__file__).parents[2]

TRAINING = {"train_block", "measure_separability", "record_outputs", "draw_times"}

# Suffixes of outputs.
FINISHED = {".parquet", ".pdf", ".svg", ".png", ".csv", ".html", ".json"}

# The profile's limit spares a controller, but keeps Snakemake running for its time span.
PROMPT = ("--max-jobs-per-timespan", "100/1s")

# Columns of results/runs.parquet that describe the machine, not the numbers.
OF_THE_MACHINE = ["seconds", "device", "revision"]


class Workplace:
    """A copy of the workflow with a configuration of its own.

    Parameters
    ----------
    folder
        Created here; the package itself is the installed one.
    miniature
        Its configuration becomes config/config.yaml.
    cluster
        Where `--profile slurm` leads.
    targets
        The files to be made, in place of the miniature's.
    """

    def __init__(
        self, folder: Path, miniature: Miniature, cluster: Cluster, targets: tuple[str, ...] = ()
    ):
        self._snakemake: Snakemake | None = None
        self.folder = folder.resolve()
        self.cluster = cluster
        self._targets = targets or miniature.targets
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("Snakefile", "workflow", "profiles", "src"):
            (self.folder / name).symlink_to(REPOSITORY / name)
        shutil.copy(REPOSITORY / "slurm", self.folder / "slurm", follow_symlinks=False)
        (self.folder / "config").mkdir()
        text = yaml.safe_dump(miniature.config, sort_keys=False)
        (self.folder / "config" / "config.yaml").write_text(text)

    def start(self, *arguments: str, **environment: str) -> "Snakemake":
        """Start Snakemake in the folder, with the profile."""
        command = ("snakemake", "--profile", "slurm", *PROMPT, *arguments, *self._targets)
        self._snakemake = Snakemake(self.folder, command, self.cluster.environment | environment)
        return self._snakemake

    def stop(self) -> None:
        """Kill Snakemake if it runs, cancel its jobs, and kill processes that do not heed that."""
        if self._snakemake:
            self._snakemake.kill()
        self.cluster.ask("scancel", *(job["JobId"] for job in self.jobs()), check=False)
        for number, _ in processes_in(self.folder):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def run(self, *arguments: str, timeout_s: float = 900, **environment: str) -> str:
        """Run Snakemake to its end, which must be a success; return its output."""
        code, said = self.start(*arguments, **environment).wait(timeout_s)
        assert code == 0, said
        return said

    def recover(self) -> int:
        """Do what docs/cluster.md says to do after Snakemake was killed."""
        text = (REPOSITORY / "docs" / "cluster.md").read_text()
        recipe = text.split("## After Snakemake was killed")[1].split("```sh\n")[1].split("```")[0]
        recipe = " ".join([recipe.rstrip(), *self._targets])
        environment = os.environ | self.cluster.environment
        command = ["bash", "-euo", "pipefail", "-c", recipe]
        return subprocess.run(
            command, cwd=self.folder, env=environment, timeout=600, check=False
        ).returncode

    def assert_same_results(self, other: Path) -> None:
        """Compare all results with those in another folder, bit by bit."""
        tables, expected = tables_in(self.folder), tables_in(other)
        if self._targets:
            expected = {name: expected[name] for name in self._targets}
        assert tables.keys() == expected.keys()
        assert [name for name, table in expected.items() if not tables[name].equals(table)] == []
        assert self.leftovers() == []

    def leftovers(self, besides: str = "") -> list[str]:
        """Return files under results/ and figures/ that are not finished outputs."""
        return [
            str(path.relative_to(self.folder))
            for root in ("results", "figures")
            for path in (self.folder / root).rglob("*")
            if path.is_file()
            and path.name != besides
            and (path.name.startswith(".") or path.suffix not in FINISHED)
        ]

    def jobs(self, rule: str = "") -> list[dict[str, str]]:
        """Return SLURM's records of all jobs, or those of a rule, in the order of submission."""
        records = sorted(self.cluster.jobs(self.folder), key=lambda record: int(record["JobId"]))
        return [record for record in records if not rule or f"/rule_{rule}/" in record["StdOut"]]

    def jobs_of(self, block: str) -> list[dict[str, str]]:
        """Return SLURM's records of the jobs of a block of training."""
        return [job for job in self.jobs("train_block") if job["Comment"].endswith(f" {block}")]

    def job(self, block: str) -> dict[str, str]:
        """Return SLURM's record of the latest job of a block of training."""
        return self.jobs_of(block)[-1]

    def log(self, block: str) -> str:
        """Return the log of a block of training."""
        (path,) = (self.folder / "logs" / "train_block").glob(f"*/{block}.log")
        return path.read_text()

    def seize(self, *blocks: str) -> dict[str, int]:
        """Stop (as Ctrl-Z does) the processes that compute blocks, and return their IDs.

        They are stopped while they compute, and go on when they get another signal.
        """
        found = {}
        for block in blocks:
            number = until(lambda block=block: self._computing(block), f"block {block} to start")
            process = psutil.Process(number)
            # Half of this goes to imports and to loading compiled loops.
            found[block] = process, process.cpu_times().user + 1.0
        for block, (process, enough) in found.items():
            until(
                lambda process=process, enough=enough: process.cpu_times().user > enough,
                f"block {block} to compute",
            )
            process.suspend()
        return {block: process.pid for block, (process, _) in found.items()}

    def _computing(self, block: str) -> int | None:
        """Return the process of a block whose log shows that it is computing."""
        assert not self._snakemake.has_left, self._snakemake.said
        folder = next((self.folder / "logs" / "train_block").glob("*"), None)
        if folder is None or not (folder / f"{block}.log").exists():
            return None
        if "elapsed" not in (folder / f"{block}.log").read_text():
            return None
        return process_of(f"{folder.name}/{block}.parquet", self.folder)


def tables_in(folder: Path) -> dict[str, pa.Table]:
    """Return the contents of every Parquet file in a folder by its path, without metadata.

    Claims are left out: results that are made without Snakemake have none.
    """
    found = {}
    for root in ("results", "figures"):
        for path in sorted({*(folder / root).rglob("*.parquet")} - {folder / CLAIMS[-1]}):
            table = pq.read_table(path)
            left_out = OF_THE_MACHINE if path.name == "runs.parquet" else []
            table = table.drop_columns(left_out).replace_schema_metadata(None)
            found[str(path.relative_to(folder))] = table
    return found


def processes_in(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the processes that work in a folder, with the words of their command lines."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "cwd").resolve() == folder:
                    yield int(entry.name), (entry / "cmdline").read_text().split("\0")


def process_of(output: str, folder: Path) -> int | None:
    """Return the Python process in a folder that computes an output."""
    for number, words in processes_in(folder):
        named = all(
            any(word.endswith(end) for word in words) for end in (output, "/train_block.py")
        )
        if named and "python" in words[0]:
            return number
    return None


class Snakemake:
    """A running Snakemake."""

    def __init__(self, folder: Path, command: tuple[str, ...], environment: Mapping[str, str]):
        self._said = folder / f"snakemake-{time.monotonic_ns()}.txt"
        with open(self._said, "w") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                cwd=folder,
                env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def has_left(self) -> bool:
        """Whether it has ended without being killed."""
        return self._process.poll() not in (None, -signal.SIGKILL)

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self._said.read_text(errors="replace")

    def wait(self, timeout_s: float = 900) -> tuple[int, str]:
        """Wait for its end; return its exit status and what it has printed."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"Snakemake did not end within {timeout_s} s:\n{self.said}"
            ) from None
        return self._process.returncode, self.said

    def kill(self) -> None:
        """Kill it as ``kill -9`` does."""
        self._process.kill()
        self._process.wait()
