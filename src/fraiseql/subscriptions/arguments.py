"""What users give to a manager, held to its types before anything is done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import isasyncgenfunction, iscoroutinefunction

from fraiseql.errors import ConfigurationError
from fraiseql.limits import QueryLimits, SubscriptionLimits
from fraiseql.subscriptions.subscriber import OverflowPolicy

__all__ = ["check_caller", "check_configuration", "check_event", "check_on_event", "check_request", "is_async"]


def check_configuration(
    limits: object, query_limits: object, max_subscriptions: object, policy: object, on_error: object
) -> None:
    """Hold a manager's own arguments to their types; raises ConfigurationError."""
    for name, value, kind in (
        ("limits", limits, SubscriptionLimits),
        ("query_limits", query_limits, QueryLimits),
        ("policy", policy, OverflowPolicy),
    ):
        if not isinstance(value, kind):
            raise ConfigurationError(f"SubscriptionManager: {name} is {value!r}; expected {kind.__name__}")
    if not isinstance(max_subscriptions, int) or isinstance(max_subscriptions, bool) or max_subscriptions < 1:
        raise ConfigurationError(f"SubscriptionManager: max_subscriptions is {max_subscriptions!r}; expected 1 or more")
    if on_error is not None and (not callable(on_error) or is_async(on_error)):
        raise ConfigurationError(f"SubscriptionManager: on_error is {on_error!r}; expected a plain function")


def check_request(query: object, variables: object, operation_name: object) -> None:
    """Hold a request to its types; raises TypeError."""
    if not isinstance(query, str):
        raise TypeError(f"the query is a text, not {query!r}")
    if variables is not None and not isinstance(variables, Mapping):
        raise TypeError(f"the variables are a mapping of names and values, or None, not {variables!r}")
    _check_text("operation_name", operation_name)


def check_caller(tenant_id: object, user_id: object) -> None:
    """Hold a tenant and a user to texts or None; raises TypeError."""
    _check_text("tenant_id", tenant_id)
    _check_text("user_id", user_id)


def check_on_event(on_event: object, policy: object) -> None:
    """Hold what a subscription may have of its own to its types; raises TypeError."""
    if on_event is not None and (not callable(on_event) or is_async(on_event)):
        raise TypeError(f"on_event is a plain function or None, not {on_event!r}")
    if policy is not None and not isinstance(policy, OverflowPolicy):
        raise TypeError(f"the policy is an OverflowPolicy or None, not {policy!r}")


def check_event(name: object, tenant_id: object, user_id: object, cursor: object) -> None:
    """Hold an event to its types; raises TypeError."""
    if not isinstance(name, str):
        raise TypeError(f"an event is published under a topic or a field's name, not {name!r}")
    check_caller(tenant_id, user_id)
    _check_text("cursor", cursor)


def is_async(function: Callable[..., object]) -> bool:
    """Whether what it returns must be awaited, or iterated over with `async for`."""
    called = getattr(function, "__call__", None)  # noqa: B004 - of an object, it may be asynchronous itself
    return any(check(each) for check in (iscoroutinefunction, isasyncgenfunction) for each in (function, called))


def _check_text(name: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} is a text or None, not {value!r}")
