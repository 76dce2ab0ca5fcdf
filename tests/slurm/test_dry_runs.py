"""What jobs would ask for under the profile, by dry runs of what docs/cluster.md says to type."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import snakemake_server
import yaml
from copies import REPOSITORY, copy_workflow, environment
from workplace import TRAINING

from linear_grokking.cli import main
from linear_grokking.config import load_merged
from linear_grokking.workflow.plan import Plan, read

DOCUMENTATION = (REPOSITORY / "docs" / "cluster.md").read_text(encoding="utf-8")
# A figure that needs no runs.
A4 = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())["figures"]["A4"]
SMALL = {"t_max": 100.0, "records": 20, "realizations": 2}
CONFIGURATION = {
    "seed": 1,
    "experiments": {
        "spectral": {"model": "linear", "d_in": 20, "lambda": [0.5, 2.0], "n_gen": 50, **SMALL},
        "two_layers": {"model": "two_layer", "d_in": 20, "lambda": 0.5, "d_h": 4, **SMALL},
        "flow": {"model": "logistic", "n_train": 20, "d": 6, **SMALL},
        "literal": {
            "model": "linear",
            "solver": "gradient_descent",
            "d_in": 20,
            "lambda": 0.5,
            **SMALL,
        },
        "outputs": {"model": "logistic", "measure": "outputs", "n_train": 20, "d": 6, **SMALL},
        "sets": {"measure": "separability", "n_train": 20, "d": [6, 14], "realizations": 4},
        "times": {"measure": "grokking_times", "d_in": 20, "lambda": 0.5, "realizations": 2},
        "points": {"model": "two_point", "lambda": 0.4, "t_max": 100.0, "records": 20},
        # All cores, where it runs on the machine that plans.
        "large": {"measure": "separability", "n_train": 20_000, "d": 650},
    },
    "figures": {"A4": A4},
}


@dataclass(frozen=True)
class Job:
    """A job of a dry run: its rule, run, resources, and the group that it is announced in."""

    rule: str
    run_id: str
    resources: dict[str, str]
    group: int | None


class Folder:
    """A copy of the workflow with the small configuration."""

    def __init__(self, root: Path):
        self.root = root
        copy_workflow(root)
        (root / "slurm").symlink_to(Path("profiles") / "slurm")
        (root / "config").mkdir()
        (root / "config" / "config.yaml").write_text(yaml.safe_dump(CONFIGURATION))
        # Whose sizes nobody waits for.
        for overlay in ("paper", "smoke"):
            (root / "config" / f"{overlay}.yaml").write_text("seed: 2\n")

    def run(self, command: str, **settings: str) -> subprocess.CompletedProcess:
        """Run a command as typed in a shell, where no setting is but these."""
        bare = {k: v for k, v in environment(self.root).items() if "GROKKING" not in k}
        bare["PATH"] = f"{snakemake_server.programs()}:{bare['PATH']}"
        given = {f"GROKKING_SLURM_{name}": value for name, value in settings.items()}
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=bare | given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )

    def training(self, command: str = "snakemake --profile slurm", **settings: str) -> list[Job]:
        """Return the training jobs that a command would submit."""
        done = self.run(f"{command} -n", **settings)
        assert done.returncode == 0, done.stdout
        return list(training_jobs(done.stdout))

    @property
    def plan(self) -> Plan:
        """The plan of the configuration, for what its runs are."""
        return Plan(read(CONFIGURATION), self.root)


def training_jobs(said):
    """Yield the training jobs that Snakemake announces."""
    group = -1
    for block in re.split(r"^(?=.* Group job|(?:    )?rule )", said, flags=re.MULTILINE):
        group += "Group job" in block.partition("\n")[0]
        found = re.match(r"( *)rule (\w+):", block)
        if not found or found[2] not in TRAINING:
            continue
        asked = re.search(r"^ +resources: (.*)$", block, re.MULTILINE)[1]
        output = re.search(r"^ +output: results/\w+/(\w+)/", block, re.MULTILINE)[1]
        resources = dict(re.findall(r"(\w+)=(.*?)(?=, \w+=|$)", asked))
        yield Job(found[2], output, resources, group if found[1] else None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("dry"))


def on_gpu(folder, job):
    """Tell whether the kind of a job's run computes on a GPU."""
    return folder.plan.runs[job.run_id].kind.on_gpu


def documented():
    """Return the lines of docs/cluster.md that start the workflow, with their names."""
    blocks = re.findall(r"^```sh\n(.*?)^```", DOCUMENTATION, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if "snakemake --profile" in line]


PAPER = "snakemake --profile slurm --configfile config/config.yaml config/paper.yaml"


@pytest.mark.parametrize("line", [line for line in documented() if line != PAPER])
def test_what_is_documented_submits_jobs_that_are_warned_and_hold_what_they_use(folder, line):
    done = folder.run(f"{line} -n")
    assert done.returncode == 0, done.stdout
    seen = list(training_jobs(done.stdout))
    assert len(seen) == 11
    assert ("Groups of 20 jobs request up to 200 minutes" in done.stdout) == ("GROUP=20" in line)
    gpus = "GPUS=0" not in line
    kinds = {run.run_id: run.kind for run in plan_with_seed(2 if "config/" in line else 1)}
    for job in seen:
        assert "--signal=TERM@120" in job.resources["slurm_extra"]
        held = gpus and kinds[job.run_id].on_gpu
        assert job.resources.get("gpu") == ("1" if held else None)
        assert ("gpu_mem_mb" in job.resources) == held


def plan_with_seed(seed):
    return Plan(read(CONFIGURATION | {"seed": seed})).runs.values()


def test_the_papers_sizes_hold_gpus_where_they_compute_on_them(tmp_path):
    folder = Folder(tmp_path)
    shutil.rmtree(tmp_path / "config")
    (tmp_path / "config").symlink_to(REPOSITORY / "config")
    files = [tmp_path / "config" / name for name in ("config.yaml", "paper.yaml")]
    runs = Plan(read(load_merged(files)), tmp_path).runs
    jobs = folder.training(PAPER)
    assert {job.run_id for job in jobs} == runs.keys()
    wrong = [job for job in jobs if ("gpu" in job.resources) != runs[job.run_id].kind.on_gpu]
    assert wrong == []


def test_documented_lines_are_found():
    assert len(documented()) == 5 and PAPER in documented()
    # An option that replaces a whole of the profile is recommended nowhere.
    several = "set-resources|default-resources|resources|set-resource-scopes|groups"
    for path in (REPOSITORY / "docs" / "cluster.md", REPOSITORY / "README.md"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(rf"slurm[^\n]* --({several})\b", text), path
    assert not re.search(rf"--({several})\b", DOCUMENTATION)


def test_no_job_holds_a_gpu_where_the_configuration_says_cpu(folder):
    jobs = folder.training("snakemake --profile slurm --config device=cpu", PARTITION="cores")
    assert [job for job in jobs if "gpu" in job.resources] == []
    assert {job.resources["slurm_partition"] for job in jobs} == {"cores"}


def test_a_gpu_for_every_job_and_none_to_use_is_refused(folder):
    done = folder.run("snakemake --profile slurm -n --config device=cuda", GPUS="0")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == (
        "device: is cuda, but there are no GPUs (gpu=0); auto and cpu are allowed."
    )


def test_settings_reach_the_jobs_that_they_are_for(folder):
    jobs = folder.training(
        ACCOUNT="phys-1",
        PARTITION="cores",
        GPU_PARTITION="a-100",
        GPU_TYPE="a100",
        QOS="low",
        GPU_CONSTRAINT="nvlink&big",
        EXCLUDE="n1,n2",
    )
    common = {"slurm_account": "phys-1", "qos": "low"}
    gpu = {"gpu": "1", "slurm_partition": "a-100", "gpu_model": "a100", "constraint": "nvlink&big"}
    names = {*common, *gpu}
    held = [job for job in jobs if on_gpu(folder, job)]
    assert 0 < len(held) < len(jobs)
    for job in jobs:
        asked = {key: value for key, value in job.resources.items() if key in names}
        assert asked == common | (gpu if job in held else {"slurm_partition": "cores"})


@pytest.mark.parametrize(("longest", "minutes"), [("24", 24), ("2h", 30)])
def test_a_retry_asks_for_more_time_up_to_the_limit(folder, longest, minutes):
    command = "snakemake --profile slurm --attempt 3"
    jobs = folder.training(command, LONGEST=longest, GPU_PARTITION="a100")
    assert {job.resources["runtime"] for job in jobs} == {str(minutes)}
    # What has no partition of its own is left to SLURM.
    for job in jobs:
        assert job.resources.get("slurm_partition") == ("a100" if on_gpu(folder, job) else None)


def test_groups_hold_a_gpu_or_none_and_no_retry_of_one_passes_the_limit(folder):
    command = "snakemake --profile slurm --attempt 3"
    jobs = folder.training(command, GROUP="3", LONGEST="30")
    together = {}
    for job in jobs:
        together.setdefault(job.group, []).append(job)
    assert None not in together
    assert sorted(map(len, together.values())) == [2, 3, 3, 3]
    for members in together.values():
        assert len({job.resources.get("gpu") for job in members}) == 1
        assert sum(int(job.resources["runtime"]) for job in members) <= 30


def test_jobs_of_which_a_group_would_pass_the_limit_stay_alone(folder):
    done = folder.run("snakemake --profile slurm -n", GROUP="3", LONGEST="29")
    jobs = list(training_jobs(done.stdout))
    assert (
        len(re.findall("^Jobs of 11 of 11 runs are not grouped: .*than 29", done.stdout, re.M)) == 1
    )
    assert {job.group for job in jobs} == {None}
    assert {job.resources["runtime"] for job in jobs} == {"10"}


def test_the_documented_forecast_is_what_the_documented_command_prints(
    capsys, monkeypatch, tmp_path
):
    part = DOCUMENTATION.split("## How long the full run takes")[1]
    command, printed = re.search(
        r"^```sh\n([^\n]+)\n```$.*?^```\n(.*?)\n```$", part, re.MULTILINE | re.DOTALL
    ).groups()
    (tmp_path / "config").symlink_to(REPOSITORY / "config")
    monkeypatch.chdir(tmp_path)
    program, *arguments = command.split()
    assert program == "linear-grokking" and main(arguments) == 0
    assert capsys.readouterr().out.rstrip("\n").endswith(f"\n\n{printed}")


# ---- submission, to a SLURM that refuses every job and remembers what it was asked ----

SBATCH = """\
#!/bin/sh
printf '%s\\n' "$*" | sed 's/ --wrap=.*//' >> submitted.txt
exit 1
"""


@pytest.fixture(scope="module")
def submitted(folder):
    """Return what submits jobs to that SLURM, and tells what was asked for."""
    programs = folder.root / "bin"
    programs.mkdir()
    (programs / "sbatch").write_text(SBATCH)
    for name in ("sacct", "sinfo", "squeue", "scontrol"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    # One after the other: that the first is refused does not hold up the others.
    single = "--jobs 1 --retries 0"
    quick = "--slurm-init-seconds-before-status-checks 1 --max-jobs-per-timespan 100/1s"

    def submit(arguments, **settings):
        asked = folder.root / "submitted.txt"
        asked.write_text("")
        command = f'PATH="$PWD/bin:$PATH" snakemake --profile slurm {single} {quick} {arguments}'
        done = folder.run(command, **settings)
        calls = asked.read_text().splitlines()
        assert calls, done.stdout
        return calls

    return submit


def test_what_is_submitted(folder, submitted):
    calls = submitted(
        "--until train_block measure_separability record_outputs draw_times",
        PARTITION="cores",
        GPU_PARTITION="a100",
        EXCLUDE="n1,n2",
    )
    assert len(calls) == 11
    for call in calls:
        run_id = re.search(r"--comment rule_\w+_wildcards_(\w{16})_", call)[1]
        held = folder.plan.runs[run_id].kind.on_gpu
        assert ("--gpus=1" in call) == held
        assert f"-p {'a100' if held else 'cores'} " in call
        assert "--cpus-per-task=1 " in call
        assert "--signal=TERM@120" in call
        assert set(re.search(r"--exclude=(\S+)", call)[1].split(",")) == {"n1", "n2"}
    (name,) = {re.search(r"--job-name (\S+)", call)[1] for call in calls}
    assert name.startswith("linear-grokking_")
    named = {re.search(r"--comment=(.*?) -D", call)[1] for call in calls}
    assert {"spectral lambda=2.0 0-1", "large 0-0", "points 0-0"} <= named


def test_a_retry_of_a_figure_asks_for_no_more_than_the_limit(submitted):
    (call,) = submitted("--attempt 3 figures/A4.pdf", LONGEST="31", PARTITION="cores")
    assert re.search(r" -t (\d+) ", call)[1] == "31"
