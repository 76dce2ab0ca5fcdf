"""Where the workflow keeps what it makes of all runs, relative to the folder of results/."""

MANIFEST = "results/runs.parquet"
"""The list of all runs."""
CLAIMS = ("results/claims.csv", "results/claims.parquet")
"""What was judged, for people and for programs."""
REPORT = "results/report.html"
ARCHIVE = "results/archive.zip"
