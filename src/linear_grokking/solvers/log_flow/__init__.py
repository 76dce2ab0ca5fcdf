"""Gradient flow of the logistic model in log time, to times such as 1e100 (Paper B)."""

from linear_grokking.solvers.log_flow.flow import gradient_flow

__all__ = ["gradient_flow"]
