"""The wheel where nothing is installed but what it asks for: the library, `train` and `predict`."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement

from linear_grokking import predict
from linear_grokking.runtime import devices, extras, failures

ROOT = Path(__file__).parents[2]
PACKAGE = "linear_grokking"
LIBRARY = (
    *("theory", "data", "runtime", "errors", "shapes", "models", "results", "solvers", "jobs"),
    *(
        "analysis",
        "config",
        "load",
        "workflow.predict",
        "workflow.train",
        "workflow.steps.block",
        "cli",
    ),
)
"""What stands without any extra."""
WITH = {"pydantic_core": "pydantic", "markupsafe": "jinja2"}
"""Modules that come with the distribution of another one."""
TYPES = {"jaxtyping"}
"""Imported where type checkers and tests look."""


def named(text):
    return text.lower().replace("_", "-")


@functools.cache
def packages():
    """Return the distributions of each module; reading them all takes a quarter of a second."""
    return metadata.packages_distributions()


def distribution(module):
    module = WITH.get(module, module)
    return named(packages()[module][0])


@functools.cache
def imports():
    return grimp.build_graph(
        PACKAGE, include_external_packages=True, exclude_type_checking_imports=True
    )


def third_party(chosen):
    """Return the third-party modules that some modules of the package import, lazily or not."""
    graph = imports()
    found = set()
    for module in graph.modules:
        if module.partition(".")[0] == PACKAGE and chosen(module.removeprefix(f"{PACKAGE}.")):
            found |= {
                each.partition(".")[0] for each in graph.find_modules_directly_imported_by(module)
            }
    return found - set(sys.stdlib_module_names) - {PACKAGE} - TYPES


def in_library(module):
    return any(module == room or module.startswith(f"{room}.") for room in LIBRARY)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources alone."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignored)
    pip("wheel", "--no-build-isolation", "--wheel-dir", out, source)
    (found,) = out.glob("*.whl")
    return found


def pip(command, *arguments):
    done = [sys.executable, "-m", "pip", command, "--no-deps", "--no-index", "--quiet", *arguments]
    subprocess.run(done, check=True, capture_output=True)


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder with the wheel's contents, which hides all that the wheel does not ask for."""
    folder = tmp_path_factory.mktemp("site")
    pip("install", "--target", folder, wheel)
    hidden = set(packages()) - {PACKAGE} - brought(requirements_of(folder))
    extra = hidden & brought(requirements_of(folder, "workflow"))
    assert {"torch", "snakemake", "matplotlib", "pytest", "jinja2"} <= hidden
    assert not hidden & {"numpy", "scipy", "pandas", "pydantic_core"}
    (folder / "sitecustomize.py").write_text(
        "import os, sys\n"
        f"HIDDEN = {sorted(hidden - extra)!r}\n"
        f"HIDDEN += [] if 'WORKFLOW' in os.environ else {sorted(extra)!r}\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in HIDDEN:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    return folder


def requirements_of(folder, extra=""):
    (installed,) = metadata.distributions(path=[str(folder)])
    asked = [Requirement(text) for text in installed.requires or []]
    if not extra:
        return {named(each.name) for each in asked if each.marker is None}
    return {named(each.name) for each in asked if each.marker and f'"{extra}"' in str(each.marker)}


def closure(names):
    """Return distributions with all that they ask for."""
    found, waiting = set(), list(names)
    while waiting:
        name = named(waiting.pop())
        if name in found:
            continue
        try:
            asked = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # of another platform
        found.add(name)
        each = [Requirement(text) for text in asked]
        waiting += [one.name for one in each if not one.marker or one.marker.evaluate()]
    return found


def brought(names):
    """Return the modules that distributions and what they ask for bring."""
    kept = closure(names)
    return {module for module, names in packages().items() if kept & set(map(named, names))}


def run(site, *arguments, folder, status=0, **more):
    """Run Python where the wheel is; return what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    environment |= {"PYTHONPATH": str(site), "PYTHONNOUSERSITE": "1", **more}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def test_core_dependencies_are_what_the_library_imports(site):
    asked = {distribution(module) for module in third_party(in_library) - {"torch"}}
    assert requirements_of(site) == asked


def test_extras_are_what_the_rest_imports(site):
    library = third_party(in_library) - {"torch"}
    asked = {distribution(m) for m in third_party(lambda m: not in_library(m)) - library}
    programs = {"snakemake", "snakemake-executor-plugin-slurm"}
    assert requirements_of(site, "workflow") == asked - {"torch"} | programs
    assert requirements_of(site, "gpu") == {"torch"}
    for extra, modules in extras.EXTRAS.items():
        own = {distribution(module) for module in modules}
        assert own == requirements_of(site, extra) - {"snakemake-executor-plugin-slurm"}


def test_version_is_said_once(site, tmp_path):
    with open(ROOT / "pyproject.toml", "rb") as file:
        written = tomllib.load(file)["project"]["version"]
    said = run(site, "-c", "import linear_grokking as l; print(l.__version__)", folder=tmp_path)
    assert said.strip() == written
    assert not [p for p in (ROOT / "src").rglob("*.py") if f'"{written}"' in p.read_text("utf-8")]


def test_library_works_without_torch_and_snakemake(site, tmp_path):
    """Each promised import, used; and no more imported than is used."""
    code = """
import sys
import linear_grokking
assert linear_grokking.__file__.startswith(sys.argv[1]), linear_grokking.__file__
assert not {"numpy", "scipy", "pandas", "pydantic", "torch"} & set(sys.modules)
from linear_grokking import predict
from linear_grokking.theory import linear, linear_grokking_time
problem = linear.Problem(0.9, 0.01)
time = linear_grokking_time.gen_time(problem, 1e-3)
assert predict("linear", lambda_=0.9, epsilon=1e-3)["t_gen"].value == time
assert "pandas" not in sys.modules and "numba" not in sys.modules
import numpy as np
from linear_grokking.solvers import separability
found = separability.assess(np.random.default_rng(0).normal(size=(40, 30)), margin=True)
assert found.separable and found.margin > 0
from linear_grokking import analyze
rows = np.random.default_rng(0).normal(size=(60, 4))
assert not analyze(rows, np.sign(rows[:, 0] + 3 * rows[:, 1] * rows[:, 2])).through_origin.separable
from linear_grokking import load
try:
    load.runs()
except FileNotFoundError as error:
    print(error)
"""
    said = run(site, "-c", code, str(site), folder=tmp_path)
    assert "not made yet" in said and "`snakemake -c1 B8` makes a figure" in said


def test_every_module_of_the_library_imports(site, tmp_path):
    code = """
import importlib, pkgutil, sys
import linear_grokking
for found in pkgutil.walk_packages(linear_grokking.__path__, "linear_grokking."):
    name = found.name.removeprefix("linear_grokking.")
    if any(name == room or name.startswith(room + ".") for room in sys.argv[1:]):
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            print(name, error.name)
"""
    # walk_packages imports packages; those of the workflow's room have nothing of an extra.
    said = run(site, "-c", code, *LIBRARY, folder=tmp_path)
    missing = ["analysis.picture matplotlib", "solvers.separability.batched torch"]
    assert said.splitlines() == missing


ENDED = "--- ended ---"
IN_TURN = f"""
import json, sys
from linear_grokking.cli import main
for arguments in json.loads(sys.argv[1]):
    assert main(arguments) == 0
    print({ENDED!r})
"""
"""Commands in one process: each would import the same, and compile the same loops."""


def test_examples_of_the_documentation_run_there(site, tmp_path):
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 5
    said = [run(site, "-c", each, folder=tmp_path) for each in examples]
    assert "Paper A" in said[0] and "outside: needs gamma above 0" in said[0]
    assert said[1] == "(18, 3)\n" and said[4].startswith("True ")
    first, last, low, high = (float(each) for each in said[2].split())
    theory = predict("linear", lambda_=0.9, epsilon=1e-3)["t_gen"].value
    assert first < low < theory < high < last
    times = [float(each) for each in said[3].split()]
    theory = predict("logistic", n_train=1000, d=400, sigma=5)["t_gen"].value
    assert len(times) == 3 and all(theory / 3 < time < 3 * theory for time in times)
    commands = [each.split() for each in re.findall(r"\$ linear-grokking (.*)", text)]
    *said, rest = run(site, "-c", IN_TURN, json.dumps(commands), folder=tmp_path).split(ENDED)
    assert len(said) == len(commands) and not rest.strip()
    assert all("holds for" in each for each in said)


TINY = ["--n_train=40", "--n_epochs=200", "--records=8", "--device=cpu"]
TRAINED = [
    ["--d_in=20", "--n_test=20"],
    ["--d_in=20", "--n_test=20", "--solver=gradient_descent"],
    ["--d_in=20", "--n_test=20", "--solver=sgd"],
    ["--d_in=20", "--n_test=20", "--architecture=2layer_linear", "--d_h=5"],
    ["--d_in=10", "--architecture=logistic"],
    ["--d_in=10", "--architecture=logistic", "--solver=adam"],
]


def test_train_and_predict_work_there(site, tmp_path):
    trained = [
        ["train", *TINY, *options, f"--output={number}", "--json=h.json", "--force"]
        for number, options in enumerate(TRAINED)
    ]
    said = run(site, "-c", IN_TURN, json.dumps(trained), folder=tmp_path)
    assert said.count("measured") == len(TRAINED)
    stored = json.loads((tmp_path / "h.json").read_text())
    assert stored["gen_accuracy"] and stored["provenance"]["versions"]["numpy"]
    command = ["-m", PACKAGE, "predict", "linear", "--lambda=0.9", "--curve=c.parquet"]
    assert "grokking time" in run(site, *command, folder=tmp_path)
    read = "from linear_grokking.results.storage import read_table as r; "
    read += "from pathlib import Path; print(*r(Path('c.parquet')).column_names)"
    assert "gen_loss" in run(site, "-c", read, folder=tmp_path)


def test_analyze_works_there_but_for_its_picture(site, tmp_path):
    labels = [1, -1] * 10
    rows = "".join(f"{label},{k % 7},{label * (k % 5)}\n" for k, label in enumerate(labels))
    (tmp_path / "rows.csv").write_text(f"y,a,b\n{rows}")
    command = ["-m", PACKAGE, "analyze", "rows.csv"]
    assert "will it grok?" in run(site, *command, folder=tmp_path)
    said = run(site, *command, "--run", "--out=made", folder=tmp_path, status=1)
    assert said.splitlines()[-1].startswith("error: this needs matplotlib")
    assert said.splitlines()[-1].endswith("pip install 'linear-grokking[workflow]'")


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["plan"], "workflow"),
        (["clean-stale"], "workflow"),
        (["gallery"], "workflow"),
        (["schema"], "workflow"),
        (["train", *TINY, *TRAINED[0], "--checkpoints=2"], "gpu"),
    ],
)
def test_what_is_missing_is_said_in_one_line(site, tmp_path, arguments, extra):
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config" / "config.yaml", tmp_path / "config")
    before = sorted(tmp_path.rglob("*"))
    said = run(site, "-m", PACKAGE, *arguments, folder=tmp_path, status=1)
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "Traceback" not in said
    assert lines[0].endswith(f"which is not installed: pip install 'linear-grokking[{extra}]'")
    assert sorted(tmp_path.rglob("*")) == before


def test_the_workflows_commands_work_without_torch(site, tmp_path):
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config" / "config.yaml", tmp_path / "config")
    assert "B1" in run(site, "-m", PACKAGE, "plan", folder=tmp_path, WORKFLOW="yes")
    code = "import snakemake, linear_grokking.report.page; import torch"
    said = run(site, "-c", code, folder=tmp_path, status=1, WORKFLOW="yes")
    assert said.rstrip().endswith("No module named 'torch'")


def test_gpu_without_torch_is_said_in_one_line(site, tmp_path):
    options = ["--solver=gradient_descent", *TINY, "--device=cuda", "--d_in=20"]
    said = run(site, "-m", PACKAGE, "train", *options, folder=tmp_path, status=2).splitlines()
    assert said == [
        "error: device = cuda: a GPU needs torch, which is not installed: "
        "pip install 'linear-grokking[gpu]'"
    ]


def test_a_gpu_that_torch_cannot_use_is_left_alone(monkeypatch):
    """A driver is there, torch is not: a job goes to the CPU."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(devices.Path, "glob", lambda self, pattern: iter([self]))
    assert devices.gpu_present() is False
    assert devices.resolve("auto", computes_there=True) == "cpu"


def test_only_libraries_of_extras_are_told():
    told = ModuleNotFoundError("No module named 'torch.cuda'", name="torch.cuda")
    assert "[gpu]" in failures.line(told)
    for other in (ModuleNotFoundError("x", name="numpy"), ModuleNotFoundError("x"), KeyError("x")):
        assert extras.missing(other) is None and failures.line(other) is None
