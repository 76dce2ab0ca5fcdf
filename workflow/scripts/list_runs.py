"""Write the manifest of all runs: ``list_runs.py ENTRIES OUTPUT``, the entries packed."""

import json
import sys
from pathlib import Path

from linear_grokking.packing import unpack
from linear_grokking.workflow import write_manifest

if __name__ == "__main__":
    write_manifest(json.loads(unpack(sys.argv[1])), Path(), Path(sys.argv[2]))
