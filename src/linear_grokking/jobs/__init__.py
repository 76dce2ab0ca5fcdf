"""Jobs: what computes the realizations of a run, one module per model, a function per solver.

Every job function takes (spec, realizations, context) and yields, realization by
realization, the columns of the run's file.
"""
