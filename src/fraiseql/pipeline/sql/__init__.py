"""From a plan to one statement: conditions, orders, pages and what is selected, with a parameter for each value."""

from fraiseql.pipeline.sql.statement import BoundStatement, render, render_given, render_keyed, render_shown

__all__ = ["BoundStatement", "render", "render_given", "render_keyed", "render_shown"]
