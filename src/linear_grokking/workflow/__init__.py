"""The workflow: its plan, its steps, how far a build is, and commands for a run outside it."""
