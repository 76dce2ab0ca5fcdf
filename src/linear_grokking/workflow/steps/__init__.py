"""The steps of the workflow: one function per rule, called by its script in workflow/scripts/.

A step takes its request (parsed JSON), the files to write, and the folder that holds results/
and figures/.  Each step has a module of its own, so that its job waits only for the imports that
it needs.
"""
