"""Results on disk: identity of runs, files, summaries, and how they are read again."""
