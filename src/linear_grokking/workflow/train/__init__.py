"""A single run from the command line, outside the workflow: `linear-grokking train`."""
