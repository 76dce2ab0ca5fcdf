"""The files of a build are as docs/data.md says: columns, types, metadata."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

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


@pytest.mark.parametrize("folder", ["histories", "separability"])
def test_blocks(built, folder):
    paths = list((built / "results" / folder).rglob("*.parquet"))
    assert paths
    for path in paths:
        found, metadata = columns(path)
        spec = json.loads(metadata["spec"])
        kind = spec["model"] if spec["measure"] == "dynamics" else spec["measure"]
        assert found == dictionary()[kind], path


def test_summaries(built):
    for path in (built / "results" / "summaries").glob("*.parquet"):
        assert columns(path)[0] == dictionary()["summaries"], path


def test_manifest_holds_every_parameter_under_its_key(built):
    found, _ = columns(built / "results" / "runs.parquet")
    documented = dictionary()["runs"]
    assert documented.items() <= found.items()
    assert found.keys() - documented.keys() <= configuration_keys()


def test_figure_tables(built):
    documented = dictionary()["figure"]
    for path in (built / "figures" / "tables").glob("*.parquet"):
        found, _ = columns(path)
        assert (documented.keys() - {"z"}) <= found.keys(), path
        assert all(found[name] == documented[name] for name in found.keys() & documented.keys())
        others = found.keys() - documented.keys() - {"separable"}
        assert others <= configuration_keys(), path


def test_every_file_says_what_it_depends_on_and_where_it_is_from(built):
    paths = [*(built / "results").rglob("*.parquet"), *(built / "figures").rglob("*.parquet")]
    assert len(paths) > 20
    for path in paths:
        metadata = columns(path)[1]
        assert metadata["schema_version"] and json.loads(metadata["spec"]), path
        provenance = json.loads(metadata["provenance"])
        assert {"revision", "dirty", "versions", "time"} <= provenance.keys(), path
        assert provenance["fingerprint"], path
