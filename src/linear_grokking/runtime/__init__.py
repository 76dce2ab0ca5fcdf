"""How jobs run: arrays and devices, memory, checkpoints, progress, errors and signals.

Nothing here changes a number in a result, so fingerprints of code leave this package out.
"""
