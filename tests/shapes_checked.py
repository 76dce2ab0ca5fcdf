"""The shapes in annotations of numerical functions are enforced in all tests.

Imported before the package is; the other annotations are left to the type checker.
"""

from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import beartype

CHECKED = [
    "linear_grokking.data",
    "linear_grokking.models.contract",
    "linear_grokking.models.expectations",
    "linear_grokking.models.linear",
    "linear_grokking.models.logistic",
    "linear_grokking.models.losses",
    "linear_grokking.models.passes.array_pass",
    "linear_grokking.models.passes.row_pass",
    "linear_grokking.models.passes.stretches",
    "linear_grokking.models.passes.weighing",
    "linear_grokking.models.softplus",
    "linear_grokking.models.teacher_student",
    "linear_grokking.models.two_layer",
    "linear_grokking.models.two_point",
    "linear_grokking.results.crossings",
    "linear_grokking.solvers",
    "linear_grokking.theory",
]
"""All but what Numba compiles."""


def checked(function: Any) -> Any:
    """Return a function that checks the shapes among its annotations."""
    shapes = {k: hint for k, hint in function.__annotations__.items() if "jaxtyping" in repr(hint)}
    function.__annotations__ = shapes
    return beartype(function)


def jaxtyped(*, typechecker: Any) -> Callable[[Any], Any]:
    """Return jaxtyping's decorator, which leaves functions alone that name no shape.

    It would take some microseconds of each of their calls.
    """
    decorate = _jaxtyped(typechecker=typechecker)

    def decorated(definition: Any) -> Any:
        hints = getattr(definition, "__annotations__", {}).values()
        named = isinstance(definition, type) or any("jaxtyping" in repr(hint) for hint in hints)
        return decorate(definition) if named else definition

    return decorated


_jaxtyped, jaxtyping.jaxtyped = jaxtyping.jaxtyped, jaxtyped
jaxtyping.install_import_hook(CHECKED, "shapes_checked.checked")
