"""How far a build is: its note, its pace, the line on the terminal, and what `watch` sees."""

import io
import logging
import math
import os
import time
from types import SimpleNamespace

import pytest
import small_plan

from linear_grokking import cli
from linear_grokking.workflow.plan import Plan
from linear_grokking.workflow.plan import read as read_configuration
from linear_grokking.workflow.plan.forecast import SCHEDULING_SECONDS
from linear_grokking.workflow.watch import build as builds
from linear_grokking.workflow.watch.build import Build, Job, NoBuildError
from linear_grokking.workflow.watch.last_word import KILLED, LastWord
from linear_grokking.workflow.watch.line import BuildLine
from linear_grokking.workflow.watch.look import State, Watch
from linear_grokking.workflow.watch.pace import duration, pace


def job(seconds=100.0, threads=1, gpu=False, name="job"):
    made = (f"results/{name}.parquet", f"results/{name}.csv")
    return Job(name, made, f"logs/{name}.log", seconds, threads, gpu)


def build(*jobs, cores=2, gpus=0):
    return Build({str(k): each for k, each in enumerate(jobs)}, cores, gpus)


def test_without_a_measurement_the_time_left_is_that_of_the_cost_model():
    assert pace(build(*[job()] * 4), {}, {}).seconds_left == pytest.approx(200)
    assert pace(build(*[job()] * 4, cores=64), {}, {}).seconds_left == pytest.approx(100)
    # One that takes all cores is as long as its share of them.
    assert pace(build(job(threads=2)), {}, {}).seconds_left == pytest.approx(50)


def test_jobs_with_a_gpu_wait_for_gpus():
    both = build(job(), *[job(gpu=True)] * 3, cores=8, gpus=1)
    assert pace(both, {}, {}).seconds_left == pytest.approx(300)


def test_what_jobs_took_corrects_what_is_expected_of_others():
    jobs = build(*[job(1000.0)] * 4, cores=1)
    right = pace(jobs, {"0": 1000.0}, {})
    slow = pace(jobs, {"0": 3000.0}, {})
    assert right.seconds_left == pytest.approx(3000) and right.share == 0.25
    assert slow.seconds_left == pytest.approx(3000 * 3060 / 1060)
    assert pace(jobs, {"0": math.nan}, {}).seconds_left == pytest.approx(3000)


def test_a_job_that_runs_is_done_in_part():
    jobs = build(job(), job(), cores=1)
    half = pace(jobs, {}, {"0": 50.0})
    assert half.seconds_left == pytest.approx(150) and half.share == pytest.approx(0.25)
    # What it says of itself counts more; one that should be over is not counted as over.
    assert pace(jobs, {}, {"0": 50.0}, {"0": 350.0}).seconds_left == pytest.approx(450)
    late = pace(jobs, {}, {"0": 500.0})
    assert late.seconds_left == pytest.approx(150) and late.share < 0.5


def test_all_is_done_only_when_every_job_is():
    jobs = build(job(1e6), job(0.001))
    assert pace(jobs, {"0": 1.0}, {}).share == 0.99
    done = pace(jobs, {"0": 1.0, "1": 1.0}, {})
    assert (done.share, done.seconds_left) == (1.0, 0.0)
    assert str(done) == "100% of the work done"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (59.7, "1 min"),
        (60, "1 min"),
        (750, "12 min"),
        (3569, "59 min"),
        (3599, "1 h"),
        (3600, "1 h"),
        (11400, "3 h 10 min"),
        (84600, "23 h 30 min"),
        (86399, "1 d"),
        (187200, "2 d 4 h"),
    ],
)
def test_spans_of_time_are_said_as_people_do(seconds, said):
    assert duration(seconds) == said


def record(event, **said):
    return logging.makeLogRecord({"event": event, "msg": None, **said})


class Wildcards(dict):
    """As Snakemake's, which have items alone."""


def snakemake_job(rule, outputs, logs, **wildcards):
    rule = SimpleNamespace(name=rule)
    return SimpleNamespace(rule=rule, output=outputs, log=logs, wildcards=Wildcards(wildcards))


@pytest.fixture
def plan(tmp_path):
    return Plan(read_configuration(small_plan.CONFIGURATION), tmp_path)


@pytest.mark.parametrize("remote", [False, True])
def test_a_build_knows_names_and_expected_times(plan, tmp_path, remote):
    run_id = next(iter(plan.runs))
    block = {"run_id": run_id, "block": "0-2"}
    table = "figures/tables/A1.parquet"
    jobs = {
        0: snakemake_job("all", [], []),
        3: snakemake_job(
            "train_block", [f"{tmp_path}/results/x/0-2.parquet"], [f"{tmp_path}/a.log"], **block
        ),
        4: snakemake_job(
            "tabulate_figure", [f"{tmp_path}/{table}"], [f"{tmp_path}/t.log"], figure="A1"
        ),
        5: snakemake_job(
            "summarize_run", [f"{tmp_path}/s.parquet"], [f"{tmp_path}/s.log"], run_id=run_id
        ),
    }
    made = builds.planned(plan, jobs, cores=4, gpus=0, threads={run_id: 4}, remote=remote)
    more = SCHEDULING_SECONDS if remote else 0.0
    assert list(made.jobs) == ["3", "4", "5"]
    train, tabulate, summarize = made.jobs.values()
    assert train.name == "A1 lin lambda=0.5 0-2" and train.threads == 4
    assert train.seconds == pytest.approx(more + plan.runs[run_id].seconds("0-2", gpu=False))
    assert (train.outputs, train.log) == (("results/x/0-2.parquet",), "a.log")
    assert (tabulate.name, tabulate.outputs, tabulate.threads) == (
        "tabulate_figure A1",
        (table,),
        1,
    )
    assert summarize.name == "summarize_run A1 lin lambda=0.5" and summarize.threads == 1
    made.write(tmp_path)
    assert builds.read(tmp_path) == made


@pytest.fixture
def started(tmp_path):
    """A build of four jobs that began an hour ago, at work."""
    jobs = build(*[job(name=name) for name in ("one", "two", "three", "four")])
    jobs.write(tmp_path)
    os.utime(tmp_path / builds.FILE, (time.time() - 3600,) * 2)
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    return tmp_path


def log(root, name, *lines, ago=0.0):
    path = root / "logs" / f"{name}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    os.utime(path, (time.time() - ago,) * 2)


def outputs(root, name):
    for suffix in ("parquet", "csv"):
        path = root / "results" / f"{name}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.touch()


def line(done, elapsed, left):
    return f"run 0, realizations 0-9: {done}/10 realizations, {elapsed} elapsed, {left} left"


def test_jobs_are_seen_by_their_logs_and_outputs(started):
    log(started, "one", line(10, "01:00", "00:00"))
    outputs(started, "one")
    log(started, "two", "run 0: linear on CPU", line(4, "02:00", "03:00"), ago=60)
    log(started, "three", line(0, "00:00", "?"), "error: eta = 9: too large")
    sight = Watch(started).look()
    assert sight.counts == {"waiting": 1, "running": 1, "failed": 1, "done": 1}
    two, three = sight.seen.values()
    assert (two.state, two.progress.done, two.progress.total) == (State.RUNNING, 4, 10)
    assert two.age == pytest.approx(180, abs=5) and two.left == pytest.approx(120, abs=5)
    assert (three.state, three.line) == (State.FAILED, "error: eta = 9: too large")
    # Of the second 120 s; and the other two, on two cores.
    assert sight.pace.seconds_left == pytest.approx((120 + 2 * 100 * 120 / 160) / 2, rel=0.05)
    assert sight.at_work and not sight.over


def test_the_line_follows_snakemakes_count(started, monkeypatch):
    stream, now = io.StringIO(), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    heard = BuildLine(started, stream)
    for number in range(4):
        heard.handle(record("job_info", jobid=number))
    log(started, "one", line(10, "01:00", "00:00"))
    outputs(started, "one")
    # The others were handed to a cluster, and wait there.
    now[0] = 3000.0
    heard.handle(record("job_finished", job_id=0))
    assert stream.getvalue() == ""
    heard.handle(record("progress", done=1, total=5))
    # (60 + 60) / (60 + 100) times what is expected, on two cores.
    assert stream.getvalue() == "25% of the work done, 2 min left\n"
    for name in ("two", "three", "four"):
        log(started, name, line(10, "01:00", "00:00"))
        outputs(started, name)
    # Just looked; but the last count is of all.
    heard.handle(record("progress", done=4, total=5))
    heard.handle(record("progress", done=5, total=5))
    assert stream.getvalue().splitlines()[1:] == [
        "25% of the work done, 2 min left",
        "100% of the work done",
    ]


def test_a_terminal_or_a_note_that_is_gone_disturbs_nothing(started, tmp_path_factory):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError("gone")

    BuildLine(started, Gone()).handle(record("progress", done=0, total=1))
    nowhere = BuildLine(tmp_path_factory.mktemp("nowhere"), stream := io.StringIO())
    nowhere.handle(record("progress", done=0, total=1))
    assert stream.getvalue() == ""


def test_files_of_an_earlier_build_count_for_nothing(started):
    log(started, "one", line(10, "01:00", "00:00"), ago=7200)
    outputs(started, "one")
    log(started, "two", line(1, "01:00", "09:00"))
    outputs(started, "two")
    os.utime(started / "results/two.csv", (time.time() - 7200,) * 2)
    assert Watch(started).look().counts == {"waiting": 3, "running": 1, "failed": 0, "done": 0}


def test_a_traceback_is_a_failure_and_so_is_a_job_that_nobody_waits_for(started):
    log(started, "one", "Traceback (most recent call last):", '  File "x.py"', "KeyError: 'x'")
    log(started, "two", line(1, "01:00", "09:00"))
    looking = Watch(started)
    assert looking.look().counts[State.FAILED] == 1
    (started / ".snakemake/locks/0.input.lock").unlink()
    sight = looking.look()
    assert sight.counts[State.FAILED] == 2 and sight.over


def test_the_log_of_a_job_that_was_killed_says_so(started):
    lines = {
        "one": [line(1, "01:00", "09:00")],
        "two": ["error: eta = 9: too large"],
        "three": ["interrupted"],
    }
    heard = LastWord(builds.read(started), started)
    for name, each in lines.items():
        log(started, name, *each, ago=-1.0)
    log(started, "four", "error: of a build before this one", ago=7200)
    assert Watch(started).look().counts["running"] == 1
    for number in range(4):
        heard.handle(record("job_error", jobid=number))
    heard.handle(record("job_error", jobid=9))  # what only gathers others
    heard.handle(record("job_info", jobid=0))
    sight = Watch(started).look()
    assert sight.counts == {"waiting": 0, "running": 0, "failed": 4, "done": 0}
    assert [each.line for each in sight.seen.values()] == [
        *(KILLED, "error: eta = 9: too large", "interrupted", KILLED)
    ]
    text = (started / "logs/one.log").read_text(encoding="utf-8")
    assert text == f"{lines['one'][0]}\n{KILLED}\n"


@pytest.mark.parametrize("last", ["error: no space left", line(1, "01:00", "09:00")])
def test_jobs_of_a_group_that_had_no_turn_are_not_said_to_be_killed(started, last):
    heard = LastWord(builds.read(started), started)
    log(started, "two", last)
    log(started, "three", "error: of a build before this one", ago=7200)
    told = [{"jobid": number} for number in (0, 1, 2)]
    heard.handle(record("group_error", groupid="figure", job_error_info=told))
    for each in told:
        heard.handle(record("job_error", **each))
    assert [each.job.name for each in Watch(started).look().seen.values()] == ["two"]
    said = (started / "logs/two.log").read_text(encoding="utf-8").splitlines()
    assert said == ([last] if last.startswith("error") else [last, KILLED])


def test_a_log_that_cannot_be_written_disturbs_nothing(started):
    (started / "logs/one.log").mkdir(parents=True)
    LastWord(builds.read(started), started).handle(record("job_error", jobid=0))


def test_a_build_that_was_started_again_is_read_again(started):
    looking = Watch(started)
    assert sum(looking.look().counts.values()) == 4
    build(job(name="five")).write(started)
    assert sum(looking.look().counts.values()) == 1


def test_the_command_shows_a_table_once_and_writes_nothing(started, capsys):
    log(started, "two", line(4, "02:00", "03:00"), ago=60)
    log(started, "three", "error: no space left")
    before = {path: path.stat().st_mtime for path in started.rglob("*")}
    assert cli.main(["watch", str(started), "--once"]) == 0
    text = capsys.readouterr().out
    first, second, *_ = text.splitlines()
    assert first.startswith("build of 2") and "4 jobs, 1 failed, 1 running, 2 waiting" in first
    assert " of the work done, " in second and second.endswith(" left")
    assert "two" in text and "4/10" in text and "1 min ago" in text
    assert "three: error: no space left\n  logs/three.log" in text
    assert {path: path.stat().st_mtime for path in started.rglob("*")} == before


def test_a_build_that_is_over_says_so(started, capsys):
    for name in ("one", "two", "three", "four"):
        log(started, name)
        outputs(started, name)
    assert cli.main(["watch", str(started)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["all is done"]


def test_a_terminal_is_refreshed_until_the_build_is_over(started, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("linear_grokking.workflow.watch.command.SECONDS_BETWEEN_LOOKS", 0.0)
    looks = []

    def look(self, original=Watch.look):
        looks.append(1)
        if len(looks) == 3:
            (started / ".snakemake/locks/0.input.lock").unlink()
        return original(self)

    monkeypatch.setattr(Watch, "look", look)
    assert cli.main(["watch", str(started)]) == 0
    text = capsys.readouterr().out
    assert text.count("\x1b[2J") == 3 == len(looks)
    assert text.splitlines()[-1].endswith("Snakemake is not running here")


def test_a_folder_without_a_build_is_one_line(tmp_path, capsys):
    assert cli.main(["watch", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no build was started here" in said and "logs/build" in said


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", '{"jobs": {"1": {}}}', '{"jobs": 3, "cores": 1}'),
        '{"jobs": {}, "cores": "two", "gpus": 0}',
    ],
)
def test_a_note_that_cannot_be_read_is_named(tmp_path, content):
    (tmp_path / "logs").mkdir()
    (tmp_path / builds.FILE).write_text(content)
    with pytest.raises(NoBuildError, match=r"build\.json: is not a valid build record"):
        builds.read(tmp_path)
