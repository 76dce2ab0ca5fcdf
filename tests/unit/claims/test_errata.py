"""docs/errata.md names checks that exist."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
ERRATA = (REPOSITORY / "docs" / "errata.md").read_text(encoding="utf-8")


def test_tests_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", ERRATA)
    assert named
    for path, name in named:
        assert f"def {name}(" in (REPOSITORY / path).read_text(encoding="utf-8"), name


def test_claims_exist():
    """A name is written in the code as it is, up to the values that the code puts in."""
    modules = (REPOSITORY / "src/linear_grokking/claims").glob("*.py")
    written = re.findall(
        r'"([AB]T?\d+-[^"\s]+)"', "".join(each.read_text("utf-8") for each in modules)
    )
    # A value in braces may be any; a name may leave out the last of them.
    patterns = [re.sub(r"\\\{.*?\\\}", ".+", re.escape(each)) + "$" for each in written]
    beginnings = {each.split("-{")[0] for each in written}
    named = re.findall(r"`([AB]T?\d+-[^`]+)`", ERRATA)
    assert len(named) > 30
    unknown = [
        name
        for name in named
        if not any(re.match(each, name) for each in patterns)
        and not any(each.startswith(name) for each in beginnings)
    ]
    assert unknown == []
