"""The RO-Crate metadata of an archive: what was run, by whom, when, and with which versions.

The profile is Workflow Run Crate (https://w3id.org/ro/wfrun/workflow): one run of one workflow,
with the configuration that went in and the files that came out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate

from linear_grokking.figures import registry
from linear_grokking.results.places import CLAIMS, CONFIGURATION, MANIFEST, REPORT
from linear_grokking.results.storage import user

README = "README.md"
"""The README of an archive."""
WORKFLOW = "Snakefile"
"""The workflow's file in an archive."""
PARAMETERS = {
    "configuration": CONFIGURATION,
    "claims": CLAIMS[0],
    "runs": MANIFEST,
    "report": REPORT,
}
"""The workflow's input, which comes first, and its outputs."""
_ROCRATE = "1.1"
"""The version of RO-Crate that the profiles below extend."""
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_BIOSCHEMAS = "https://bioschemas.org/profiles/{}/1.0-RELEASE"
_FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
    ".cff": "application/yaml",
}
_PLACES = {
    "results/summaries/": "Run {stem}, reduced over its realizations",
    "results/scalars/": "Run {stem}, one row per realization",
    "results/runs": "All runs, with their parameters",
    "results/claims": "Claims and verdicts",
    "results/report": "The report, one page that works offline",
    "figures/tables/": "Table of {stem}: {title}",
    "figures/": "{stem}: {title}",
    "workflow/rules/": "Rules of the workflow",
    "workflow/scripts/": "Program of the rule {stem}",
    "workflow/report/": "Text of Snakemake's own report",
    CONFIGURATION: "The configuration as merged",
    "requirements.txt": "The lock file: exact versions of all packages",
    "pyproject.toml": "The package of the workflow's steps, and its requirements",
    README: "What this archive holds, and how to read it",
    "LICENSE": "Licence of the software and of these results",
    "CITATION.cff": "How to cite",
}
"""Descriptions of files by the beginning of their names; the first match counts."""


@dataclass(frozen=True)
class Made:
    """How the files of an archive, and the blocks behind them, were made.

    Attributes
    ----------
    start, end
        When the first job began and when the last file was written.
    revisions, devices
        Revisions of the repository, and devices that computed; sorted, each once.
    versions
        Packages and their versions; sorted, each once.
    """

    start: datetime
    end: datetime
    revisions: tuple[str, ...]
    devices: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]]) -> "Made":
        """Gather the provenance of one or more files."""
        ends = [datetime.fromisoformat(record["time"]) for record in records]
        # Only training jobs record how long they took.
        seconds = [timedelta(seconds=int(record.get("seconds", 0))) for record in records]
        starts = [end - each for end, each in zip(ends, seconds, strict=True)]
        return cls(
            min(starts),
            max(ends),
            _each_once(_revision(record) for record in records),
            _each_once(record["device"] for record in records if "device" in record),
            tuple(sorted({each for record in records for each in record["versions"].items()})),
        )


def _each_once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _revision(record: Mapping[str, Any]) -> str:
    if record["revision"] is None:
        return f"unknown ({record['revision_unknown']})"
    return record["revision"] + (" with changes" if record["dirty"] else "")


def metadata(
    contents: Iterable[tuple[str, bytes]], made: Made, citation: Path, sources: Sequence[str]
) -> bytes:
    """Return the metadata of an archive as JSON-LD.

    Parameters
    ----------
    contents
        Name and contents of every other file of the archive.
    made
        How these files were made.
    citation
        Path of CITATION.cff.
    sources
        Where the configuration came from.
    """
    cited = yaml.safe_load(citation.read_text(encoding="utf-8"))
    crate = ROCrate(version=_ROCRATE)
    # This term is newer than this version of RO-Crate.
    crate.metadata.extra_terms["sha256"] = "https://w3id.org/ro/terms/workflow-run#sha256"
    licence = _add(
        crate,
        f"https://spdx.org/licenses/{cited['license']}",
        "CreativeWork",
        name=f"{cited['license']} licence",
        description="What may be done with the software and with these results.",
    )
    developers = [
        _add(crate, f"#author-{k}", "Organization", name=author["name"])
        for k, author in enumerate(cited["authors"], start=1)
    ]
    files = {name: _file(crate, name, content) for name, content in contents}
    files[README]["about"] = crate.root_dataset
    workflow = _workflow(crate, made, files)
    for entity in (crate.root_dataset, workflow):
        _set(entity, license=licence, author=developers)
    _set(
        crate.root_dataset,
        name="Grokking in linear models: results of the workflow",
        description="Figures of two papers on grokking in linear models and what goes beyond "
        "them: pictures, tables, the runs that they are drawn from, and the claims.",
        datePublished=made.end.isoformat(),
        citation=[_paper(crate, each) for each in cited["references"]],
        conformsTo=[
            _add(crate, profile, "CreativeWork", name=name, version=version)
            for profile, (name, version) in _PROFILES.items()
        ],
        mentions=_run(crate, made, files, sources),
    )
    return json.dumps(crate.metadata.generate(), indent=1, sort_keys=True).encode()


def _set(entity: Entity, **properties: Any) -> None:
    for key, value in properties.items():
        single = isinstance(value, list) and len(value) == 1
        entity[key] = value[0] if single else value


def _add(crate: ROCrate, identifier: str, kind: str, /, **properties: Any) -> Entity:
    added: Any = crate.add(ContextEntity(crate, identifier, properties={"@type": kind}))
    _set(added, **properties)
    return added


def _file(crate: ROCrate, name: str, content: bytes) -> Entity:
    place = next((what for start, what in _PLACES.items() if name.startswith(start)), "{stem}")
    stem = Path(name).stem
    title = registry.title(stem) if stem in registry.figure_ids() else "Does X help?"
    properties = {
        "name": place.format(stem=stem, title=title),
        "encodingFormat": _FORMATS.get(Path(name).suffix, "text/plain"),
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if name == WORKFLOW:
        adding: Any = partial(crate.add_workflow, main=True, lang="snakemake")
    else:
        adding = crate.add_file
    return adding(dest_path=name, properties=properties)


def _workflow(crate: ROCrate, made: Made, files: Mapping[str, Entity]) -> Entity:
    """Complete the main entity: its inputs, outputs and software requirements."""
    workflow = files[WORKFLOW]
    parameters = {
        name: _add(
            crate,
            f"#{name}",
            "FormalParameter",
            name=name,
            additionalType="File",
            description=files[place]["name"],
            workExample=files[place],
            conformsTo={"@id": _BIOSCHEMAS.format("FormalParameter")},
        )
        for name, place in PARAMETERS.items()
    }
    for name, parameter in parameters.items():
        files[PARAMETERS[name]]["exampleOfWork"] = parameter
    given, *written = parameters.values()
    _set(
        workflow,
        version="; ".join(made.revisions),
        conformsTo={"@id": _BIOSCHEMAS.format("ComputationalWorkflow")},
        input=given,
        output=written,
        softwareRequirements=[
            _add(
                crate,
                f"pkg:generic/python@{version}"
                if name == "python"
                else f"pkg:pypi/{name}@{version}",
                "SoftwareApplication",
                name=name,
                softwareVersion=version,
            )
            for name, version in made.versions
        ],
    )
    return workflow


def _run(crate: ROCrate, made: Made, files: Mapping[str, Entity], sources: Sequence[str]) -> Entity:
    """Add the action: the one run of the workflow."""
    made_here = [file for name, file in files.items() if name.startswith(("results/", "figures/"))]
    return _add(
        crate,
        "#run",
        "CreateAction",
        name=f"Snakemake with the configuration {' with '.join(sources)}",
        description=f"Computed on {' and '.join(made.devices) or 'nothing: formulas alone'}, "
        f"with the revision {'; '.join(made.revisions)}",
        startTime=made.start.isoformat(),
        endTime=made.end.isoformat(),
        actionStatus="http://schema.org/CompletedActionStatus",
        agent=_add(crate, "#agent", "Person", name=user()),
        instrument=files[WORKFLOW],
        object=[files[CONFIGURATION], files["requirements.txt"]],
        result=made_here,
    )


def _paper(crate: ROCrate, reference: Mapping[str, Any]) -> Entity:
    authors = [f"{each['given-names']} {each['family-names']}" for each in reference["authors"]]
    return _add(
        crate,
        reference["url"],
        "ScholarlyArticle",
        name=reference["title"],
        author=[_add(crate, f"#{name.replace(' ', '-')}", "Person", name=name) for name in authors],
        datePublished=str(reference["year"]),
        identifier=[each["value"] for each in reference["identifiers"]],
    )
