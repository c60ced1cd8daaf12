"""The judge of our answers: graphql-core executes the same query over the same rows as Python values.

It shares the declared schema and graphql-core's form of it with the pipeline, and nothing else: values, conditions,
orders, pages and relations are written here once more, in Python, from the rules that the documentation gives. A new
kind of field takes a resolver in `oracle`, and a check in `refusals` where there is something to refuse.
"""

from __future__ import annotations

from golden.oracle.figures import equal_forms
from golden.oracle.oracle import Oracle, normalised
from golden.oracle.refusals import Refusals, Verdict
from golden.oracle.rows import Rows, blog_rows
from golden.oracle.values import JSON_NULL, KINDS, Interval, Kind, Range, Values

__all__ = [
    "JSON_NULL",
    "KINDS",
    "Interval",
    "Kind",
    "Oracle",
    "Range",
    "Refusals",
    "Rows",
    "Values",
    "Verdict",
    "blog_rows",
    "equal_forms",
    "normalised",
]
