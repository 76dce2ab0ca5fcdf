"""Figures: each module tabulates one figure from summaries and draws it from its table."""
