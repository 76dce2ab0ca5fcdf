"""Write the manifest of all runs; the list is too long for a command line."""

import json
from pathlib import Path

from linear_grokking.workflow import write_manifest

write_manifest(json.loads(snakemake.params.entries), Path(), Path(snakemake.output[0]))
