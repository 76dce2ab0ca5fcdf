"""Jobs: the functions that compute the realizations of a run, and the table of their kinds.

A job is a function of (spec, realizations, context) and of the parts that its kind names
(`kinds`): solver, law, loss.  It yields the columns of the run's file, one realization after
another.
"""
