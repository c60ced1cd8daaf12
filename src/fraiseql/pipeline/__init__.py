"""From a GraphQL request to one SQL statement and the response's bytes, without I/O."""

from fraiseql.pipeline.graphql_schema import print_sdl
from fraiseql.pipeline.operation import Explanation, Pipeline
from fraiseql.pipeline.request import (
    GraphQLRequest,
    check_depth,
    decode_json,
    decode_query_string,
    with_idempotency_key,
)
from fraiseql.pipeline.response import GraphQLResponse, Outcome, Refusal, refuse
from fraiseql.pipeline.subscription import PreparedSubscription

__all__ = [
    "Explanation",
    "GraphQLRequest",
    "GraphQLResponse",
    "Outcome",
    "Pipeline",
    "PreparedSubscription",
    "Refusal",
    "check_depth",
    "decode_json",
    "decode_query_string",
    "print_sdl",
    "refuse",
    "with_idempotency_key",
]
