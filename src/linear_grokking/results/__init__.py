"""Results on disk: identity of runs, files, summaries, reading."""
