"""Our schema as graphql-core's, which validates documents, answers introspection and prints SDL."""

from fraiseql.pipeline.graphql_schema.builder import build_graphql_schema
from fraiseql.pipeline.graphql_schema.scalar_types import has_variables, literal_value, scalar_of
from fraiseql.pipeline.graphql_schema.sdl import print_sdl

__all__ = ["build_graphql_schema", "has_variables", "literal_value", "print_sdl", "scalar_of"]
