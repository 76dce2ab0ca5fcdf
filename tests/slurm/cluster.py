"""A SLURM cluster of one node, with three fake GPUs, for the duration of the tests.

Everything lies in one folder and listens on ports of its own: a SLURM that the machine may
belong to is not touched, and several may run side by side.
"""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
NODE = "grokking"
GPUS = 3

CONFIGURATION = """
ClusterName=grokking
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
# A job that is queued again waits for its credential to expire; by default, two minutes.
AuthInfo=socket={folder}/munge.socket,cred_expire=20
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
TaskProlog={folder}/record_gpus
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
# Jobs stay on record long enough to be looked at when all is over, and for Snakemake's plugin
# not to turn to sacct, which there is not.
MinJobAge=3600
GresTypes=gpu
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=5 RealMemory=32000 Gres=gpu:{gpus}
PartitionName=cpu Nodes={node} Default=YES State=UP
PartitionName=gpu Nodes={node} State=UP
"""

# Snakemake, but asking every second for the state of its jobs.  Its plugin's interval grows by
# ten seconds each time that no job has ended, which spares a controller that others use too, but
# would take most of the time here.
PROMPT = """\
#!{python}
import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(
    lambda executor: 1, lambda executor, seconds: None
)
sys.exit(main())
"""

# Runs in a shell after the daemons have been started: its input ends with the tests, however
# they end, and then everything is stopped and removed.
GUARD = """
none_left() {{ for _ in {{1..100}}; do [ -z "$("$@")" ] && return; sleep 0.2; done; }}
cat > /dev/null
scancel --user=root
none_left squeue --noheader
kill $(jobs -pr)
none_left jobs -pr
kill -KILL $(jobs -pr) 2> /dev/null
rm -rf {folder}
"""


def missing() -> str | None:
    """Say why no cluster can be brought up here; None if one can."""
    if os.geteuid() != 0:
        return "starting SLURM needs root"
    if " " in sys.executable:
        return "Snakemake's plugin cannot call an interpreter whose path holds a space"
    absent = [name for name in (*DAEMONS, "sbatch", "srun", "setpriv") if _daemon(name) is None]
    return f"{', '.join(absent)} not installed" if absent else None


def _daemon(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def until(happened: Callable[[], object], what: str, timeout_s: float = 300):
    """Wait until a function returns something true, and return that."""
    end = time.monotonic() + timeout_s
    while not (result := happened()):
        assert time.monotonic() < end, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.1)
    return result


class Cluster:
    """The daemons, and what an administrator or a user asks of them."""

    def __init__(self) -> None:
        # A short path, as it becomes that of a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        self._guard: subprocess.Popen | None = None
        self._configure()
        # Snakemake takes SLURM_* from the environment of srun: it would not find the
        # configuration, which is not in its usual place.
        wrapper = self.folder / "bin" / "srun"
        wrapper.parent.mkdir()
        wrapper.write_text(
            f'#!/bin/sh\nexport SLURM_CONF={self.folder}/slurm.conf\nexec {_daemon("srun")} "$@"\n'
        )
        wrapper.chmod(0o755)
        prompt = wrapper.parent / "snakemake"
        prompt.write_text(PROMPT.format(python=sys.executable))
        prompt.chmod(0o755)
        self.environment = {
            "SLURM_CONF": f"{self.folder}/slurm.conf",
            "PATH": f"{wrapper.parent}:{os.environ['PATH']}",
        }

    def _configure(self) -> None:
        for name in ("controller", "node"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        host = socket.gethostname().split(".")[0]
        controller_port, node_port = _free_ports(2)
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder,
                host=host,
                node=NODE,
                controller_port=controller_port,
                node_port=node_port,
                gpus=GPUS,
            )
        )
        # GPUs need device files; these are further names of /dev/null.
        for index in range(GPUS):
            os.mknod(self.folder / f"gpu{index}", 0o020666, os.makedev(1, 3))
        (self.folder / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n")
        record = self.folder / "record_gpus"
        record.write_text(
            f'#!/bin/sh\necho "$SLURM_JOB_ID $CUDA_VISIBLE_DEVICES" >> {self.folder}/gpus.txt\n'
        )
        record.chmod(0o755)
        (self.folder / "gpus.txt").touch()

    def start(self) -> None:
        """Start the daemons and wait until the node takes jobs."""
        conf = f"{self.folder}/slurm.conf"
        commands = {
            "munged": (
                "--foreground",
                f"--socket={self.folder}/munge.socket",
                f"--key-file={self.folder}/munge.key",
                f"--pid-file={self.folder}/munged.pid",
                f"--seed-file={self.folder}/munged.seed",
            ),
            "slurmctld": ("-D", "-f", conf),
            "slurmd": ("-D", "-N", NODE, "-f", conf),
        }
        started = [
            f"{_daemon(name)} {' '.join(arguments)} > {self.folder}/{name}.out 2>&1 &"
            for name, arguments in commands.items()
        ]
        self._guard = subprocess.Popen(
            ["bash", "-c", "\n".join([*started, GUARD.format(folder=self.folder)])],
            env=os.environ | self.environment,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        until(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T", check=False), "the node", 60)

    def stop(self) -> None:
        """Cancel what still runs, stop the daemons, and remove all traces."""
        if self._guard:
            self._guard.stdin.close()
            self._guard.wait(120)

    def ask(self, *command: str, check: bool = True) -> str:
        """Run one of SLURM's commands and return what it prints."""
        done = subprocess.run(
            command,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def jobs(self, folder: Path) -> list[dict[str, str]]:
        """Return the records of all jobs, finished ones too, that belong to a folder."""
        lines = self.ask("scontrol", "--oneliner", "show", "job").splitlines()
        # SLURM's own keys have a capital; a comment may hold lambda=0.5.
        field = re.compile(r"([A-Z][\w:/]*)=(.*?)(?=\s+[A-Z][\w:/]*=|\s*$)")
        records = [dict(field.findall(line)) for line in lines]
        return [record for record in records if record.get("WorkDir") == str(folder)]

    def gpus(self, job_id: str) -> set[str]:
        """Return what CUDA_VISIBLE_DEVICES was in the tasks of a job."""
        lines = (self.folder / "gpus.txt").read_text().splitlines()
        return {gpus for job, _, gpus in (line.partition(" ") for line in lines) if job == job_id}


def _free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on, outside of those that Linux gives to connections."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            ports.append(port)
    return ports
