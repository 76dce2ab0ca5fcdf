"""Run the command line: ``python -m linear_grokking``."""

import sys

from linear_grokking.cli import main

sys.exit(main())
