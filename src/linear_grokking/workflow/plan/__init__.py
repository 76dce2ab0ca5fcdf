"""The plan: runs, blocks and targets of a configuration, given what is on disk, and their cost."""

from linear_grokking.workflow.plan.configuration import Config, json_schema, read, read_again
from linear_grokking.workflow.plan.planning import Plan, Point, Run

__all__ = ["Config", "Plan", "Point", "Run", "json_schema", "read", "read_again"]
