"""Grokking in linear models: the physics, the solvers and the figures of two papers.

Paper A is *Grokking in Linear Estimators* (arXiv:2310.16441), Paper B is *Grokking at
the Edge of Linear Separability* (arXiv:2410.04489).  Docstrings name the paper and the
equation or section they implement.
"""
