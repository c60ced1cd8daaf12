"""The statements that serve the fields of a mutation, without a database."""

from __future__ import annotations

from collections.abc import Iterator

from fraiseql.effects import Fetch
from fraiseql.pipeline.computed.roots import is_called
from fraiseql.pipeline.mutations.actions import serve
from fraiseql.pipeline.mutations.serving import Asking, Serving, read_trees

__all__ = ["first_statements"]


def first_statements(asking: Asking) -> Iterator[Fetch]:
    """The statement that writes for each root field that SQL serves, in order; raises Refusal, RequestError.

    What is selected of the written rows is a second one, for their keys.
    """
    for root in asking.plan.fetched:
        if root.field is None or is_called(root.field):
            continue
        trees = read_trees(asking.planning, root, asking.variables)
        program = serve(Serving(asking, root, trees, None))
        try:
            effect = next(program, None)  # nothing is asked where no rows are given
        finally:
            program.close()
        if isinstance(effect, Fetch):
            yield effect
