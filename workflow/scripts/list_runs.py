"""Write the manifest of all runs."""

from linear_grokking.workflow.steps import manifest, script

if __name__ == "__main__":
    script.run(manifest.list_runs)
