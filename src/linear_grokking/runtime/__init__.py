"""How work runs: arrays and devices, memory, checkpoints, progress, a job's surroundings.

Nothing here changes a number in a result, so fingerprints of code leave this room out.
"""
