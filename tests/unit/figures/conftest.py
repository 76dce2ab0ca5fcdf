"""Results for the tests of figures: small runs of each test file, made as the rules do."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from figure_tables import stored

from linear_grokking.workflow.plan import Plan, read


@pytest.fixture(scope="module")
def plan(
    request: pytest.FixtureRequest, once: Callable[..., Path], make: Callable[[Plan], None]
) -> Plan:
    """Return the plan of the test file's CONFIG, with everything in it made, in seconds."""
    config = read(request.module.CONFIG)
    root = once(request.module.__name__, lambda folder: make(Plan(config, folder)))
    return Plan(config, root)


@pytest.fixture(scope="module")
def tables(plan: Plan) -> dict[str, pd.DataFrame]:
    """Return the tables of the test file's figures."""
    return {figure_id: stored(plan, figure_id) for figure_id in plan.config.figures}
