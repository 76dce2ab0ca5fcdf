"""The steps of the workflow: one function a rule, called by its script in workflow/scripts/.

A step takes its request (parsed JSON) and the files to write.
"""

SUMMARY_CODE = ("results.summaries:scalars_of", "results.summaries:summary_of")
"""What the numbers of summaries and scalars depend on."""
MANIFEST_CODE = ("workflow.steps.report:list_runs",)
"""What the manifest depends on."""
