"""Introspection, answered by graphql-core from the schema alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from graphql import DocumentNode, FieldNode, GraphQLSchema, SelectionSetNode, execute_sync

from fraiseql.errors import RequestError
from fraiseql.pipeline.document import Operation
from fraiseql.pipeline.response import Outcome, Refusal

__all__ = ["introspect"]


def introspect(
    schema: GraphQLSchema, operation: Operation, fields: Iterable[FieldNode], variables: Mapping[str, Any]
) -> dict[str, bytes]:
    """Run the `__schema` and `__type` fields of an operation.

    Args:
        variables: as the request sent them.

    Returns:
        JSON by response key.

    Raises:
        Refusal: an argument does not coerce.
    """
    node = replace(operation.node, selection_set=SelectionSetNode(selections=tuple(fields)))
    document = DocumentNode(definitions=(node, *operation.fragments.values()))
    result = execute_sync(schema, document, variable_values=dict(variables))
    if result.errors or result.data is None:
        errors = [RequestError(error.message, code="BAD_USER_INPUT") for error in result.errors or ()]
        raise Refusal(Outcome.VARIABLES_INVALID, errors)
    return {key: orjson.dumps(value) for key, value in result.data.items()}
