"""Solvers: ways of following a model's training, or of finding where it leads.

Those of dynamics share one contract (`trajectory.Trajectory`); no solver knows about files.
"""
