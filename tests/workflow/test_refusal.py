"""Configurations that cannot be used, through Snakemake itself: one line, and nothing done."""

import pytest

MALFORMED = {
    "syntax": (b"seed: [1, 2\n", "config/config.yaml, line 2, column 1: expected"),
    "tab": (b"seed: 1\nexperiments:\n\ta: 1\n", "line 3, column 1: a tab; YAML is indented with"),
    "not UTF-8": (b"seed: 1 # K\xf6nig\n", "config/config.yaml, line 1: is not UTF-8 text"),
    "code": (b"seed: !!python/object/apply:os.system ['touch ran']\n", "holds plain values only"),
    "template": (
        b"__use_yte__: true\nseed: ?__import__('os').system('touch ran')\n",
        "templates could run code",
    ),
    "10 MB": (
        b"seed: [" + b"1, " * 3_400_000 + b"1]\n",
        "a configuration may have at most 1000000",
    ),
}

OVERLAYS = {
    "lambda that gives no sizes": (
        "experiments: {sets: {d: null, lambda: 0.43}}",
        "experiments.sets: lambda = 0.43 gives d = 8.6, which is not an integer",
    ),
    "twice": ("seed: 1\nseed: 2\n", "overlay.yaml, line 2, column 1: the key seed appears twice"),
    "laughs": (
        "seed: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "\n".join(
            f"x{k}: &{new} [{', '.join([f'*{old}'] * 9)}]"
            for k, (old, new) in enumerate(zip("abcdefg", "bcdefgh", strict=True))
        ),
        "overlay.yaml: holds more than 100000 values once its aliases",
    ),
}


def assert_refused(repository, outcome, says):
    assert outcome.returncode != 0
    lines = outcome.output.splitlines()
    assert "The configuration cannot be used:" in lines
    (line,) = lines[lines.index("The configuration cannot be used:") + 1 :]
    assert says in line
    assert "Traceback" not in outcome.output
    assert not outcome.jobs
    for name in ("results", "figures", "logs", "ran"):
        assert not (repository.root / name).exists()


@pytest.mark.parametrize("what", MALFORMED)
def test_default_configuration(fresh, what):
    content, says = MALFORMED[what]
    (fresh.root / "config/config.yaml").write_bytes(content)
    assert_refused(fresh, fresh.snakemake(), says)


@pytest.mark.parametrize("what", OVERLAYS)
def test_overlay(fresh, what):
    content, says = OVERLAYS[what]
    (fresh.root / "overlay.yaml").write_text(content)
    assert_refused(fresh, fresh.snakemake("--configfile", "overlay.yaml"), says)


def test_value_on_the_command_line(fresh):
    outcome = fresh.snakemake("--config", "device=gpu")
    assert_refused(fresh, outcome, "device = gpu: must be 'auto', 'cpu' or 'cuda'")


def test_a_gpu_for_every_job_where_there_is_none(fresh):
    outcome = fresh.snakemake("--config", "device=cuda")
    assert_refused(fresh, outcome, "device: is cuda, but there are no GPUs (gpu=0)")


@pytest.mark.parametrize(("rule", "module"), [("plan", "command"), ("clean_stale", "stale")])
def test_a_rule_fails_with_its_command(fresh, rule, module):
    source, start = (
        f"src/linear_grokking/workflow/plan/{module}.py",
        "def command(options: argparse.Namespace) -> None:\n",
    )
    fresh.edit(source, start, f"{start}    raise OSError('the disk is gone')\n")
    outcome = fresh.snakemake(rule)
    assert outcome.returncode != 0
    assert "error: the disk is gone" in (fresh.root / "logs" / f"{rule}.log").read_text()


def test_configuration_that_is_missing(fresh):
    (fresh.root / "config/config.yaml").unlink()
    assert_refused(fresh, fresh.snakemake(), "config/config.yaml: No such file or directory")
