"""Fields of a mutation that functions in Python serve."""

from __future__ import annotations

from fraiseql.effects import Program, Row
from fraiseql.pipeline.called import show_given
from fraiseql.pipeline.computed.resolution import Resolution
from fraiseql.pipeline.computed.roots import GivenRows, Served, call_resolver, show
from fraiseql.pipeline.misfits import Checks
from fraiseql.pipeline.mutations.serving import Serving

__all__ = ["call_action"]


def call_action(serving: Serving, resolution: Resolution) -> Program[Served]:
    """Call the function in the transaction, and give what stands for its value once its fields are computed.

    Args:
        resolution: computes them.

    Raises:
        Exception: what the function raises.
        Refusal: an argument does not fit.
    """
    asking = serving.asking
    plan, access = asking.plan, serving.access
    root = next(root for root in plan.roots if root.key == serving.root.key)
    given = plan.given_rows(root, asking.variables)
    value = yield from call_resolver(plan.call(root, asking.variables, asking.caller, access))

    def fetch_given(rows: GivenRows, records: bytes) -> Program[tuple[Row, Checks | None]]:
        return show_given(rows, records, access, lambda: Checks(plan.model, asking.hint))

    served = yield from show(resolution, plan.model, root, value, given, fetch_given)
    yield from resolution.run()
    return served
