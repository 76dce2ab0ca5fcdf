"""Solvers: ways of following a model's training dynamics; no solver knows about files."""
