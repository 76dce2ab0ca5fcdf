"""The plan: runs, blocks and targets of a configuration, given what is on disk, and their cost."""

from linear_grokking.workflow.plan.configuration import json_schema, read, read_again
from linear_grokking.workflow.plan.planning import Plan

__all__ = ["Plan", "json_schema", "read", "read_again"]
