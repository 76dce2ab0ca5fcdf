"""The steps of the workflow: one function a rule, called by its script in workflow/scripts/.

A step takes its request (parsed JSON) and the files to write.  Each stands with what it
imports, which its job waits for; what its output depends on is named here, for the rules.
"""

SUMMARY_CODE = (
    "results.reading:read_blocks",
    "results.summaries:scalars_of",
    "results.summaries:summary_of",
)
"""What the numbers of summaries and scalars depend on."""
MANIFEST_CODE = ("workflow.steps.manifest:list_runs",)
"""What the manifest depends on."""
CLAIMS_CODE = ("claims:write", "claims:MODULES")
"""What the claims depend on."""
EXPORT_CODE = ("workflow.steps.export:export_csv",)
"""What an exported table depends on, besides the table."""
