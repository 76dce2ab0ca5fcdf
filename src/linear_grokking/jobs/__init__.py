"""Jobs: what computes the realizations of a run, and the one table of their kinds.

A job is a function of (spec, realizations, context) and of the parts that its kind names
(`kinds`): solver, law, loss.  It yields, realization by realization, the columns of the
run's file.
"""
