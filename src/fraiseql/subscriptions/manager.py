"""The public face of this package: subscriptions that are fed and read by whoever embeds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fraiseql.context import Caller
from fraiseql.effects import Event
from fraiseql.errors import ConfigurationError, RequestError
from fraiseql.limits import QueryLimits, SubscriptionLimits
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Pipeline, PreparedSubscription
from fraiseql.pipeline.failures import errors_of
from fraiseql.schema import Schema
from fraiseql.subscriptions.arguments import (
    check_caller,
    check_configuration,
    check_event,
    check_on_event,
    check_request,
    is_async,
)
from fraiseql.subscriptions.calling import run_at_once
from fraiseql.subscriptions.groups import Groups
from fraiseql.subscriptions.metrics import SubscriptionMetrics
from fraiseql.subscriptions.resolvers import SKIP, Resolver, check_default, default_value, resolved_value
from fraiseql.subscriptions.subscriber import OverflowPolicy, Subscriber

__all__ = ["SubscriptionManager"]


class SubscriptionManager:
    """Subscriptions to what is published; without I/O, independent of any server.

    An event of one tenant reaches subscriptions of that tenant only, an event of none all of them; an event for a user
    reaches, of these, that user's only. Subscriptions with equal selections, arguments and tenants are given the same
    bytes, made once, when the event is published.

    It is not thread-safe: call it from one thread, or one at a time. Its callbacks may call it again.

    Args:
        schema: declares the subscriptions.
        limits: `max_queued` bounds the results that wait for each subscription.
        query_limits: bound each subscription's document, as they do for queries.
        max_subscriptions: at once.
        policy: what becomes of results that nobody takes in time, unless a subscription says otherwise.
        on_error: is told the GraphQL name of a field, and the error that clients were not shown or that an `on_event`
            has raised; it must not raise itself.

    Raises:
        ConfigurationError: not a Schema, or another argument that cannot be.
    """

    __slots__ = (
        *("_counts", "_fields", "_groups", "_last_id", "_limits", "_max_subscriptions", "_names", "_on_error"),
        *("_pipeline", "_policy", "_resolvers", "_subscribers"),
    )

    def __init__(
        self,
        schema: Schema,
        *,
        limits: SubscriptionLimits = SubscriptionLimits(),  # noqa: B008 - it is frozen
        query_limits: QueryLimits = QueryLimits(),  # noqa: B008 - it is frozen
        max_subscriptions: int = 10_000,
        policy: OverflowPolicy = OverflowPolicy.DISCONNECT,
        on_error: Callable[[str, Exception], None] | None = None,
    ) -> None:
        check_configuration(limits, query_limits, max_subscriptions, policy, on_error)
        self._pipeline = Pipeline(schema, query_limits)
        self._fields = schema.model.subscriptions
        topics = {field.topic for field in self._fields.values() if field.topic is not None}
        self._names = topics | self._fields.keys()
        self._limits = limits
        self._max_subscriptions = max_subscriptions
        self._policy = policy
        self._on_error = on_error
        self._resolvers: dict[str, Resolver] = {}
        self._subscribers: dict[str, Subscriber] = {}
        self._groups = Groups()
        self._last_id = 0
        names = ("created", "completed", "published", "skipped", "serialised", "delivered", "coalesced", "overflowed")
        self._counts = dict.fromkeys((*names, "active", "failed"), 0)

    # Subscribing

    def create_subscription(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        user_id: str | None = None,
        tenant_id: str | None = None,
        on_event: Callable[[str], None] | None = None,
        policy: OverflowPolicy | None = None,
    ) -> str:
        """Begin a subscription; it is given what is published from now on.

        Args:
            query: a GraphQL document with a subscription.
            user_id: whose it is: events for this user alone come too.
            tenant_id: events of this tenant come, and those of none.
            on_event: is called with the subscription's id whenever there is something to take.
            policy: the manager's, where it is not given.

        Returns:
            The id for the other methods.

        Raises:
            Refusal: the request is not valid, or is no subscription; its `errors` say why.
            RequestError: there are too many subscriptions, or this one is to be resumed, which needs a bus.
            ConfigurationError: its field was given arguments that nothing heeds before a resolver is registered.
            TypeError: an argument has another type; nothing was begun.
        """
        check_request(query, variables, operation_name)
        check_caller(tenant_id, user_id)
        check_on_event(on_event, policy)
        if len(self._subscribers) >= self._max_subscriptions:
            text = f"There are {self._max_subscriptions} subscriptions already."
            raise RequestError(text, code="TOO_MANY_SUBSCRIPTIONS")
        request = GraphQLRequest(query, operation_name, variables or {})
        prepared = self._pipeline.prepare_subscription(request, Caller(user_id, tenant_id))
        if prepared.after is not None:
            raise RequestError("Nothing is kept here to resume from.", code="BAD_USER_INPUT", path=prepared.path)
        if prepared.field.name not in self._resolvers:
            check_default(prepared)
        self._last_id += 1
        id_ = str(self._last_id)
        subscriber = Subscriber(id_, user_id, on_event, policy or self._policy, self._limits.max_queued)
        self._groups.add(prepared, tenant_id, subscriber)
        self._subscribers[id_] = subscriber
        self._counts["created"] += 1
        self._counts["active"] += 1
        return id_

    def complete_subscription(self, subscription_id: str) -> bool:
        """End a subscription and forget it, with all that waits for it; False where there is none of that id."""
        subscriber = self._subscribers.pop(subscription_id, None)
        if subscriber is None:
            return False
        if subscriber.is_active:
            self._end(subscriber)
        self._counts["coalesced"] += subscriber.replaced
        self._counts["completed"] += 1
        return True

    def is_active(self, subscription_id: str) -> bool:
        """Whether events are given to a subscription: it was neither completed nor too slow."""
        subscriber = self._subscribers.get(subscription_id)
        return subscriber is not None and subscriber.is_active

    def get_next_event(self, subscription_id: str) -> bytes | None:
        """Take the next execution result, JSON in UTF-8; None where nothing waits.

        The results of one that was too slow end with an error of the code SLOW_CONSUMER; complete it then.

        Raises:
            RequestError: code SUBSCRIPTION_NOT_FOUND: there is none of that id, or it was completed.
        """
        subscriber = self._subscribers.get(subscription_id)
        if subscriber is None:
            raise RequestError(f"There is no subscription {subscription_id!r}.", code="SUBSCRIPTION_NOT_FOUND")
        return subscriber.take()

    # Publishing

    def publish_event(
        self,
        topic_or_field: str,
        payload: Any = None,
        *,
        tenant_id: str | None = None,
        user_id: str | None = None,
        cursor: str | None = None,
    ) -> int:
        """Give an event to all subscriptions that it is for.

        Args:
            topic_or_field: the GraphQL name of a subscription field, or the topic that one is declared with.
            payload: what the resolver makes the field's value of; without a resolver, the value itself.
            tenant_id: whose event it is; None for everybody's.
            user_id: the only user it is for.
            cursor: its place on the bus that it came from; results hold it as `extensions.cursor`.

        Returns:
            How many subscriptions were given a result.

        Raises:
            ConfigurationError: no subscription field has that name or topic.
            TypeError: an argument has another type.
        """
        check_event(topic_or_field, tenant_id, user_id, cursor)
        if topic_or_field not in self._names:
            known = ", ".join(sorted(self._names)) or "none"
            raise ConfigurationError(f"there is no subscription field or topic {topic_or_field!r}; there are: {known}")
        counts = self._counts
        counts["published"] += 1
        event = Event(topic_or_field, payload, tenant_id, user_id, cursor)
        given: list[tuple[str, Subscriber]] = []
        for group in self._groups.find(topic_or_field, tenant_id):
            audience = group.audience(user_id)
            body = self._result(group.prepared, event) if audience else None
            if body is None:
                continue
            name = group.prepared.field.name
            for subscriber in audience:
                if not subscriber.is_active:  # a resolver has completed it
                    continue
                if subscriber.give(body, cursor):
                    counts["delivered"] += 1
                else:
                    counts["overflowed"] += 1
                    self._end(subscriber)
                given.append((name, subscriber))
        for name, subscriber in given:
            if subscriber.on_event is not None and subscriber.id in self._subscribers:
                try:
                    subscriber.on_event(subscriber.id)
                except Exception as error:  # one subscriber's code must not keep the others waiting
                    self._failed(name, error)
        return len(given)

    def _result(self, prepared: PreparedSubscription, event: Event) -> bytes | None:
        """The bytes for one event, or None where it is left out."""
        name = prepared.field.name
        try:
            resolver = self._resolvers.get(name)
            if resolver is None:
                value = default_value(prepared, event)
            else:
                value = resolved_value(resolver, event, MappingProxyType(prepared.arguments))
        except Exception as error:  # a user's code raises anything; RequestErrors are meant for the client
            response = prepared.failure(error, {}, event.cursor)
            if isinstance(error, RequestError):
                response = GraphQLResponse(response.outcome, response.body)
        else:
            if value is SKIP:
                self._counts["skipped"] += 1
                return None
            response = run_at_once(prepared.projected(value, {}, event.cursor))
        self._counts["serialised"] += 1
        if isinstance(response.cause, Exception):
            for each in errors_of(response.cause):
                self._failed(name, each)
        return response.body

    def _failed(self, name: str, error: Exception) -> None:
        self._counts["failed"] += 1
        if self._on_error is not None:
            self._on_error(name, error)

    def _end(self, subscriber: Subscriber) -> None:
        """No events any more."""
        self._groups.remove(subscriber)
        self._counts["active"] -= 1

    # Resolvers and metrics

    def register_resolver(self, field_name: str, resolver: Resolver) -> None:
        """Say how the value of a field comes from an event: `resolver(event, arguments)`; it replaces one before.

        What it raises becomes an error of the result, masked unless it is a RequestError; SKIP leaves the event out.

        Raises:
            ConfigurationError: no subscription field has that GraphQL name, or the resolver is no plain function.
        """
        self._check_field(field_name)
        if not callable(resolver) or is_async(resolver):
            raise ConfigurationError(f"the resolver of {field_name!r} is {resolver!r}; expected a plain function")
        self._resolvers[field_name] = resolver

    def get_resolver(self, field_name: str) -> Resolver | None:
        """The registered resolver of a field; None where its value is the payload itself.

        Raises:
            ConfigurationError: no subscription field has that GraphQL name.
        """
        self._check_field(field_name)
        return self._resolvers.get(field_name)

    def _check_field(self, name: str) -> None:
        if name not in self._fields:
            known = ", ".join(sorted(self._fields)) or "none"
            raise ConfigurationError(f"there is no subscription field {name!r}; there are: {known}")

    def get_metrics(self) -> SubscriptionMetrics:
        """What was done so far."""
        replaced = sum(subscriber.replaced for subscriber in self._subscribers.values())
        return SubscriptionMetrics(**{**self._counts, "coalesced": self._counts["coalesced"] + replaced})
