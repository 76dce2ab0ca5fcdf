"""Solvers follow a model's training, or find where it leads.

Solvers of dynamics share one contract (`trajectory.Solver`); no solver reads or writes files.
"""
