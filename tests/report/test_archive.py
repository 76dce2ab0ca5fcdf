"""The archive: valid as a Workflow Run RO-Crate, whole, and read without unpacking it."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from rocrate import vocabs
from rocrate_validator import services
from rocrate_validator.models import Severity
from rocrate_validator.utils.http import HttpRequester
from small_run import CONFIGURATION, MADE, snakemake

from linear_grokking import load
from linear_grokking.report.crate import Made
from linear_grokking.results.storage import StorageError
from linear_grokking.workflow.plan import Plan, read, targets
from linear_grokking.workflow.steps.archive import pack

SOURCES = ["config/config.yaml", "seed=1"]
METADATA = "ro-crate-metadata.json"


@pytest.fixture(scope="module")
def path(built):
    return built / "results" / "archive.zip"


@pytest.fixture
def archive(path):
    with load.open_archive(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def plan(built):
    return Plan(read(CONFIGURATION), built, sources=SOURCES)


def graph(path):
    """Return the entities of an archive's metadata, by their ids."""
    with zipfile.ZipFile(path) as packed:
        entities = json.loads(packed.read(METADATA))["@graph"]
    assert len({each["@id"] for each in entities}) == len(entities)
    return {each["@id"]: each for each in entities}


def ids(references):
    references = references if isinstance(references, list) else [references]
    return {each["@id"] for each in references}


# ---- as RO-Crate ----

TERMS = "https://bioschemas.org/"
CONTEXT = vocabs.RO_CRATE["@context"] | {
    # What the version of the profile calls otherwise than the one that comes with the library.
    "ComputationalWorkflow": f"{TERMS}ComputationalWorkflow",
    "FormalParameter": f"{TERMS}FormalParameter",
    "input": f"{TERMS}ComputationalWorkflow#input",
    "output": f"{TERMS}ComputationalWorkflow#output",
}
NOT_FOLLOWED = {
    "SoftwareApplication id": "package URLs (pkg:) are absolute, but do not begin with http",
    "Application url": "a package URL says where a package comes from",
    "Root Data Entity: `publisher` property": "who publishes an archive says so where it is put",
    "Organization: RECOMMENDED url property": "CITATION.cff has none",
    "CreativeWork Author: RECOMMENDED affiliation property": "nor affiliations",
    "CreativeWork Author: RECOMMENDED Contextual Entity linked for the organizational "
    "`affiliation` property": "nor affiliations",
}
"""Recommendations of the profiles, and why the metadata are without them."""


class Answer:
    """The context of RO-Crate, as the network would give it."""

    def __init__(self):
        self.status_code = 200
        self.headers = {"Content-Type": "application/ld+json"}
        self.from_cache = True

    def json(self):
        return {"@context": CONTEXT}


@pytest.fixture
def issues(path, monkeypatch, tmp_path):
    """What the validator has to say; it asks no network."""

    def get(self, url, **_):
        assert url == "https://w3id.org/ro/crate/1.1/context"
        return Answer()

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)

    def validate(path, severity):
        settings = services.ValidationSettings(
            rocrate_uri=str(path),
            profile_identifier="workflow-run-crate-0.5",
            requirement_severity=severity,
            offline=True,
            cache_path=tmp_path / "cache",
        )
        return services.validate(settings).get_issues()

    return validate


def test_it_is_a_valid_workflow_run_crate(path, issues):
    found = issues(path, Severity.RECOMMENDED)
    assert [each.message for each in found if each.severity >= Severity.REQUIRED] == []
    assert {each.check.name for each in found} <= set(NOT_FOLLOWED)


def test_the_validator_sees_what_is_missing(path, issues, tmp_path):
    spoiled = tmp_path / "spoiled.zip"
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(spoiled, "w") as changed:
        for name in packed.namelist():
            content = packed.read(name)
            if name == METADATA:
                content = content.replace(b'"instrument"', b'"potentialAction"')
            if name != "LICENSE":
                changed.writestr(name, content)
    said = [each.message for each in issues(spoiled, Severity.REQUIRED)]
    assert any("instrument" in each for each in said)
    assert any("LICENSE" in each for each in said)


def test_every_file_is_described_and_nothing_else(path):
    entities = graph(path)
    described = {key: each for key, each in entities.items() if "File" in each["@type"]}
    with zipfile.ZipFile(path) as packed:
        assert packed.testzip() is None
        assert set(packed.namelist()) == {METADATA, *described}
        for name, entity in described.items():
            content = packed.read(name)
            assert entity["sha256"] == hashlib.sha256(content).hexdigest()
            assert entity["contentSize"] == str(len(content))
    assert ids(entities["./"]["hasPart"]) == set(described)


def test_it_says_what_was_run(path, plan):
    entities = graph(path)
    root, run = entities["./"], entities["#run"]
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in ids(root["conformsTo"])
    assert root["citation"] == [
        {"@id": "https://arxiv.org/abs/2310.16441"},
        {"@id": "https://arxiv.org/abs/2410.04489"},
    ]
    assert root["license"]["@id"] == "https://spdx.org/licenses/MIT"
    assert root["mainEntity"] == run["instrument"] == {"@id": "Snakefile"}
    assert ids(run["object"]) == {"config/config.yaml", "requirements.txt"}
    expected = set(targets.everything(plan).inputs) | {*targets.DOES_X_HELP, targets.REPORT}
    blocks = {name for run_id in plan.runs for name in plan.block_files(run_id)}
    assert ids(run["result"]) == expected - blocks
    assert run["startTime"] <= run["endTime"] == root["datePublished"]
    assert entities[run["agent"]["@id"]]["name"]
    assert run["name"].endswith("config/config.yaml with seed=1")
    used = {entities[each]["name"] for each in ids(entities["Snakefile"]["softwareRequirements"])}
    assert {"python", "numpy", "linear-grokking"} <= used


def test_provenance_of_several_runs_is_gathered():
    versions = {"python": "3.13.0", "numpy": "2.4"}
    block = {"time": "2026-01-01T10:00:30+00:00", "seconds": 12.5, "device": "cuda"}
    block |= {"revision": "a" * 40, "dirty": True, "versions": versions}
    table = {"time": "2026-01-02T10:00:00+00:00", "revision": None, "dirty": None}
    table |= {"revision_unknown": "git is not installed", "versions": {"python": "3.11.7"}}
    made = Made.of([table, block])
    assert made.start.isoformat() == "2026-01-01T10:00:18+00:00"
    assert made.end.isoformat() == table["time"]
    assert made.revisions == ("a" * 40 + " with changes", "unknown (git is not installed)")
    assert made.devices == ("cuda",)
    assert made.versions == (("numpy", "2.4"), ("python", "3.11.7"), ("python", "3.13.0"))


# ---- as a file ----


def packed_again(plan, output, **changes):
    request = json.loads(json.dumps(targets.archive(plan).request)) | changes
    pack(request, [output], plan.root)


def test_the_same_results_give_the_same_archive(path, plan, tmp_path):
    packed_again(plan, tmp_path / "one.zip")
    packed_again(plan, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    # Nor does it say when it was packed; the copy has no git that would say who did.
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "one.zip") as new:
        assert old.comment == new.comment and old.namelist() == new.namelist()
        differing = [name for name in old.namelist() if old.read(name) != new.read(name)]
    assert set(differing) <= {METADATA}
    before, after = graph(path), graph(tmp_path / "one.zip")
    del before["#agent"], after["#agent"]
    assert before == after


def test_it_is_made_once_and_so_is_what_it_holds(built):
    for name in ("figures/X1.pdf", "results/report.html", "results/archive.zip"):
        assert (built / name).stat().st_size > 1000
    _, said = snakemake(built, *MADE, "--dry-run", "--config", "seed=1")
    assert "Nothing to be done" in said


def test_what_is_of_another_request_is_not_packed(plan, tmp_path):
    output = tmp_path / "archive.zip"
    output.write_text("what was there")
    files = targets.archive(plan).request["files"]
    for name in ("figures/tables/A1.parquet", "figures/A1.pdf", "results/report.html"):
        with pytest.raises(
            StorageError, match=f"{name}: was made from a different request or code"
        ):
            packed_again(plan, output, files=files | {name: "deadbeefdeadbeef"})
    assert output.read_text() == "what was there" and list(tmp_path.iterdir()) == [output]


# ---- as results ----


def test_tables_are_those_of_the_folder(archive, built):
    for figure in CONFIGURATION["figures"]:
        pd.testing.assert_frame_equal(archive.table(figure), load.table(figure, built))
    for mine, theirs in [
        (archive.runs(), load.runs(built)),
        (archive.claims(), load.claims(built)),
        (archive.summary("B1"), load.summary("B1", root=built)),
        (archive.summary("lin", lambda_=0.5), load.summary("lin", root=built, lambda_=0.5)),
        (archive.scalars("A1"), load.scalars("A1", root=built)),
    ]:
        pd.testing.assert_frame_equal(mine, theirs)
        assert mine.attrs == theirs.attrs and len(mine)
    assert archive.metadata()["@graph"]


def test_its_configuration_makes_the_same_runs(archive, plan):
    again = Plan(read(archive.configuration()))
    assert again.runs.keys() == plan.runs.keys()
    assert targets.report(again).request["tables"] == targets.report(plan).request["tables"]


def test_what_is_not_there_is_named(archive):
    with pytest.raises(
        ValueError, match=r"tables/B2\.parquet; available tables: A1, A4, B1, B6, X1$"
    ):
        archive.table("B2")
    with pytest.raises(ValueError, match="no such figure or experiment; available: A1"):
        archive.summary("B2")


def test_a_file_that_is_no_archive_is_refused_in_one_line(path, tmp_path):
    text, other, cut = (tmp_path / name for name in ("text.zip", "other.zip", "cut.zip"))
    text.write_text("no archive")
    with zipfile.ZipFile(other, "w") as packed:
        packed.writestr("results/runs.parquet", "")
    cut.write_bytes(path.read_bytes()[:-1000])
    for wrong, says in [
        (text, "is not a complete ZIP file"),
        (other, f"it lacks config/config.yaml, {METADATA}"),
        (cut, "is not a complete ZIP file"),
        (tmp_path / "none.zip", "No such file"),
        (tmp_path, "Is a directory"),
    ]:
        with pytest.raises(StorageError) as refused:
            load.open_archive(wrong)
        assert str(refused.value).startswith(f"{wrong}: ") and says in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_damaged_table_is_named(path, tmp_path):
    damaged = Path(shutil.copy(path, tmp_path))
    with zipfile.ZipFile(path) as packed:
        start = packed.getinfo("figures/tables/A1.parquet").header_offset
    content = bytearray(damaged.read_bytes())
    content[start + 200] ^= 255
    damaged.write_bytes(content)
    with (
        load.open_archive(damaged) as opened,
        pytest.raises(StorageError, match=r"archive.zip/figures/tables/A1.parquet: "),
    ):
        opened.table("A1")
