"""Where an archive of results holds what describes them."""

METADATA = "ro-crate-metadata.json"
"""What was run, and each file with its checksum; RO-Crate fixes the name."""
CONFIGURATION = "config/config.yaml"
"""The configuration as merged, where a folder has its own."""
