"""Benchmarks: ratios to plainly written code, and to the limits of the machine.

``python -m benchmarks`` (or ``make bench``) runs all groups of rows, prints the table and
writes it to ``benchmarks/results/<date>.csv`` and ``docs/benchmarks.md``.
"""
