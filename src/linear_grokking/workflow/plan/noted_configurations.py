"""Records of the configurations that results were made from, one file each next to the results.

A configuration is identified by its sources (files, and values given on the command line).  An
edited configuration replaces its older version, so that results that only the old one needed become
stale.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.config import ConfigurationError
from linear_grokking.runtime.files import unfinished, whole_file

FOLDER = "results/configurations"
_LONGEST = 100


def write(root: Path, sources: Sequence[str], raw: Mapping[str, Any]) -> None:
    """Record a merged configuration that results are made from."""
    # Names are limited in bytes, and other alphabets take several for a letter.
    names = (re.sub(r"[^\w=.-]+", "_", Path(each).name, flags=re.ASCII) for each in sources)
    digest = hashlib.sha256("\n".join(sources).encode()).hexdigest()[:8]
    content = json.dumps({"sources": list(sources), "configuration": raw}, indent=1, default=str)
    with whole_file(root / FOLDER / f"{'+'.join(names)[:_LONGEST]}-{digest}.json") as temporary:
        temporary.write_text(content + "\n", encoding="utf-8")


def read(root: Path) -> dict[Path, tuple[list[str], dict[str, Any]]]:
    """Return the sources and the contents of each recorded configuration.

    Raises
    ------
    ConfigurationError
        If a record cannot be read; the message names it.
    """
    found = {}
    for path in sorted((root / FOLDER).glob("*.json")):
        if unfinished(path):
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found[path] = (list(content["sources"]), dict(content["configuration"]))
        except (ValueError, KeyError, TypeError):
            raise ConfigurationError(
                f"{path}: is not a valid configuration record; delete it"
            ) from None
    return found
