"""Each formula of the theory, made wrong by one percent, makes a test of the theory fail."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mutations
import pytest

REPOSITORY = Path(__file__).parents[3]
FACTOR = 1.01
NOT_OURS = ("PYTEST_", "COV")
"""Variables by which pytest, xdist and coverage reach what a test starts."""


class Server:
    """The server of `mutations`, and which tests have caught a mutant."""

    def __init__(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(NOT_OURS)}
        self.caught: dict[str, str] = {}
        self.process = subprocess.Popen(
            [sys.executable, mutations.__file__],
            cwd=REPOSITORY,
            env=kept | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, mutants, factor, tests):
        request = {"mutants": mutants, "factor": factor, "tests": tests}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def server():
    one = Server()
    yield one
    one.process.communicate()


@pytest.mark.parametrize("mutant", mutations.mutants())
def test_a_formula_off_by_one_percent_is_noticed(server, mutant):
    likely, *others = mutations.test_files(mutant)
    for tests in ([likely], others):
        found = server.run([mutant], FACTOR, tests)
        assert not any("cannot be collected" in error for error in found["errors"])
        if found["caught"]:
            server.caught[mutant] = found["caught"]
            return
    pytest.fail(f"no test of the theory does; {found['errors']}")


def test_what_noticed_the_factor_passes_without_it(server):
    """The same tests, run in the same way with the factor 1, fail by nothing else."""
    tests = sorted(set(server.caught.values()))
    if not tests:
        pytest.skip("no mutant was tried")
    found = server.run(list(server.caught), 1.0, tests)
    assert found == {"caught": None, "passed": len(tests), "errors": []}


def test_every_formula_has_mutants():
    names = mutations.mutants()
    assert len(names) == len(set(names))
    for some in (
        "linear.train_loss",
        "large_size.CRITICAL_OFFSET",
        "large_size.solve.norm",
        "two_point_solution.solution.bias",
        "marchenko_pastur.support.1",
    ):
        assert some in names
    assert {name.split(".")[0] for name in names} == {
        path.stem
        for path in (REPOSITORY / "src/linear_grokking/theory").glob("*.py")
        if not path.stem.startswith("_")
    }
