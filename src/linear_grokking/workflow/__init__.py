"""The workflow: what is to be done (`plan`), its steps, and one run outside it (`train`)."""
