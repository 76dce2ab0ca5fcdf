"""The steps of the workflow: one function a rule, called by its script in workflow/scripts/.

A step takes its request (parsed JSON), the files to write, and the folder that holds results/
and figures/.  Each stands with what it imports, which its job waits for.
"""
