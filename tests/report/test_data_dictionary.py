"""The files of the smoke configuration are as docs/data.md says: columns, types, metadata."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from linear_grokking import load
from linear_grokking.claims import COLUMNS
from linear_grokking.report import does_x_help
from linear_grokking.results import statistics

DICTIONARY = Path(__file__).parents[2] / "docs" / "data.md"
SCHEMA = Path(__file__).parents[2] / "config" / "schema.json"


def dictionary():
    """Return section → (column → type)."""
    text = DICTIONARY.read_text(encoding="utf-8")
    sections = re.split(r"^### (\w+)$", text, flags=re.MULTILINE)
    return {
        name: dict(re.findall(r"^\| `(\w+)` \| ([\w<>]+) \|", body, re.MULTILINE))
        for name, body in zip(sections[1::2], sections[2::2], strict=True)
    }


def columns(path):
    """Return column → type, text of either width as `string`, and the metadata."""
    schema = pq.read_schema(path)
    types = {field.name: str(field.type).replace("large_", "") for field in schema}
    names = {name: kind.replace("element: ", "") for name, kind in types.items()}
    return names, {key.decode(): value.decode() for key, value in schema.metadata.items()}


def configuration_keys():
    return set(re.findall(r'"(\w+)": \{', SCHEMA.read_text(encoding="utf-8")))


def kind(metadata):
    spec = json.loads(metadata["spec"])
    return spec["model"] if spec["measure"] == "dynamics" else spec["measure"]


@pytest.fixture(scope="module")
def root(smoke):
    return smoke[0]


def test_blocks_of_every_kind(root):
    seen = set()
    for folder in ("histories", "separability", "outputs", "grokking_times"):
        for path in (root / "results" / folder).rglob("*.parquet"):
            found, metadata = columns(path)
            assert found == dictionary()[kind(metadata)], path
            seen.add(kind(metadata))
    dynamics = {"linear", "two_layer", "logistic", "two_point", "modular"}
    assert seen == dynamics | {"separability", "outputs", "grokking_times"}


def test_summaries(root):
    assert tuple(dictionary()["summaries"]) == statistics.COLUMNS
    paths = list((root / "results" / "summaries").glob("*.parquet"))
    assert paths
    for path in paths:
        assert columns(path)[0] == dictionary()["summaries"], path


def test_scalars(root):
    documented = dictionary()["scalars"]
    seen = set()
    for path in (root / "results" / "scalars").glob("*.parquet"):
        found, _ = columns(path)
        assert found.items() <= documented.items(), path
        seen |= found.keys()
    assert seen == documented.keys()


def test_times_of_ones_own_are_found_as_shown(root, monkeypatch):
    text = DICTIONARY.read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n([^`]*first_crossing[^`]*)```", text)
    monkeypatch.chdir(root)
    later, same = {}, {}
    exec(shown, later)
    exec(shown.replace("0.99", "0.95"), same)
    stored = load.scalars("a1_dynamics", lambda_=0.9)["t_gen"]
    assert np.array_equal(same["times"], stored) and np.isfinite(stored).all()
    assert (np.array(later["times"]) > stored).all()


def test_manifest_holds_every_parameter_under_its_key(root):
    found, _ = columns(root / "results" / "runs.parquet")
    documented = dictionary()["runs"]
    assert documented.items() <= found.items()
    assert found.keys() - documented.keys() <= configuration_keys()


def test_figure_tables(root):
    documented = dictionary()["figure"]
    paths = list((root / "figures" / "tables").glob("*.parquet"))
    assert paths
    for path in paths:
        found, _ = columns(path)
        assert (documented.keys() - {"z"}) <= found.keys(), path
        assert all(found[name] == documented[name] for name in found.keys() & documented.keys())
        others = found.keys() - documented.keys() - {"separable", "realization"}
        assert others <= configuration_keys(), path


def test_every_file_says_what_it_depends_on_and_where_it_is_from(root):
    paths = list(root.rglob("*.parquet"))
    assert len(paths) > 100
    for path in paths:
        metadata = columns(path)[1]
        assert metadata["schema_version"] and json.loads(metadata["spec"]), path
        provenance = json.loads(metadata["provenance"])
        assert {"revision", "dirty", "versions", "time"} <= provenance.keys(), path
        assert provenance["fingerprint"], path


def test_does_x_help_has_the_columns_of_the_dictionary():
    assert tuple(dictionary()["X1"]) == does_x_help.COLUMNS


def test_claims_have_the_columns_of_the_dictionary():
    assert tuple(dictionary()["claims"]) == COLUMNS
