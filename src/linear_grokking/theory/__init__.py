"""Closed forms and large-size limits, one module per subject."""
