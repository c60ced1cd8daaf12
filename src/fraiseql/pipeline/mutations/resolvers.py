"""Fields of a mutation that functions in Python serve."""

from __future__ import annotations

from fraiseql.effects import Program, Row
from fraiseql.pipeline.called import show_given
from fraiseql.pipeline.computed.roots import GivenRows, call_resolver, show
from fraiseql.pipeline.misfits import Checks
from fraiseql.pipeline.mutations.answers import Answered
from fraiseql.pipeline.mutations.serving import Serving

__all__ = ["called"]


def called(serving: Serving) -> Program[Answered]:
    """Call the function in the transaction, compute what is computed of its value, and let nulls rise.

    Raises:
        Exception: what the function raises.
        Refusal: an argument does not fit.
    """
    asking, access = serving.asking, serving.access
    plan, model, hint = asking.plan, asking.planning.model, asking.hint
    root, complete = plan.completion(serving.root.key)
    given = plan.statements.given_rows(root, asking.variables)
    resolution = plan.resolution(asking.variables, asking.caller, hint, access)
    assert resolution is not None
    value = yield from call_resolver(plan.call(root, asking.variables, asking.caller, access))

    def fetch_given(rows: GivenRows, records: bytes) -> Program[tuple[Row, Checks | None]]:
        return show_given(rows, records, access, lambda: Checks(model, hint))

    served = yield from show(resolution, model, root, value, given, fetch_given)
    yield from resolution.run()
    check, causes = (None, []) if served.checks is None else (served.checks.check, served.checks.causes)
    text = b"null" if served.value is None else served.value
    completed = complete(text, resolution.errors, hint, check)
    return Answered(completed, resolution.errors, [*causes, *resolution.causes])
