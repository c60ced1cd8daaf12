"""The manager: what reaches whom, in which form, and what happens when nobody takes it."""

from __future__ import annotations

import gc
import inspect
import json
import tracemalloc
from asyncio import Future, new_event_loop
from functools import partial

import pytest

from fraiseql.errors import ConfigurationError, RequestError
from fraiseql.limits import QueryLimits, SubscriptionLimits
from fraiseql.pipeline import Outcome, Refusal
from fraiseql.subscriptions import SKIP, OverflowPolicy, SubscriptionManager
from subscriptions.conftest import ORDERS, Order, Status, drain, manager

TICK = "subscription { tick }"
ORDER = "subscription { orderPlaced { id } }"


async def _on_error(*arguments):
    """Nobody would await it."""


def ticks(results):
    return [result["data"]["tick"] for result in results]


# Subscribing


def test_the_life_of_a_subscription():
    subject = manager()
    id_ = subject.create_subscription(ORDER)
    assert subject.is_active(id_)
    assert subject.get_next_event(id_) is None
    assert subject.publish_event("order.placed", ORDERS[0]) == 1
    assert subject.publish_event("orderPlaced", ORDERS[1]) == 1
    assert subject.get_next_event(id_) == b'{"data":{"orderPlaced":{"id":"0"}}}'
    assert subject.get_next_event(id_) == b'{"data":{"orderPlaced":{"id":"1"}}}'
    assert subject.get_next_event(id_) is None
    assert subject.complete_subscription(id_)
    assert not subject.complete_subscription(id_)
    assert not subject.is_active(id_)
    assert subject.publish_event("order.placed", ORDERS[0]) == 0


@pytest.mark.parametrize("id_", ["", "1", "unknown"])
def test_an_unknown_id(id_):
    subject = manager()
    subject.complete_subscription(subject.create_subscription(TICK))
    assert not subject.is_active(id_)
    assert not subject.complete_subscription(id_)
    with pytest.raises(RequestError, match="There is no subscription") as caught:
        subject.get_next_event(id_)
    assert caught.value.code == "SUBSCRIPTION_NOT_FOUND"


@pytest.mark.parametrize(
    ("query", "variables", "operation", "outcome"),
    [
        ("subscription {", None, None, Outcome.NOT_PARSED),
        ("subscription { nothing }", None, None, Outcome.NOT_VALID),
        ("{ orders { id } }", None, None, Outcome.OPERATION_UNKNOWN),
        ("subscription A { tick } subscription B { tick }", None, None, Outcome.OPERATION_UNKNOWN),
        ("subscription A { tick }", None, "B", Outcome.OPERATION_UNKNOWN),
        ("subscription ($a: Int!) { tick(every: $a) }", {"a": "x"}, None, Outcome.VARIABLES_INVALID),
        ("subscription ($a: Int!) { tick(every: $a) }", None, None, Outcome.VARIABLES_INVALID),
    ],
)
def test_a_request_that_is_not_valid(query, variables, operation, outcome):
    subject = manager()
    with pytest.raises(Refusal) as caught:
        subject.create_subscription(query, variables, operation)
    assert caught.value.outcome is outcome
    assert caught.value.errors
    assert subject.get_metrics().created == 0


def test_limits():
    with pytest.raises(Refusal):
        manager(query_limits=QueryLimits(max_tokens=2)).create_subscription(TICK)
    subject = manager(max_subscriptions=1)
    id_ = subject.create_subscription(TICK)
    with pytest.raises(RequestError) as caught:
        subject.create_subscription(TICK)
    assert caught.value.code == "TOO_MANY_SUBSCRIPTIONS"
    subject.complete_subscription(id_)
    assert subject.create_subscription(TICK) != id_


def test_what_cannot_be_resumed_is_said():
    with pytest.raises(RequestError) as caught:
        manager().create_subscription('subscription { orderPlaced(after: "1-2") { id } }')
    assert (caught.value.code, caught.value.path) == ("BAD_USER_INPUT", ("orderPlaced",))


@pytest.mark.parametrize(
    "query",
    [
        "subscription { tick(every: 2) }",
        "subscription { allOrders(limit: 1) { id } }",
        'subscription { orderSeen(choice: { note: "a" }) { id } }',
    ],
)
def test_arguments_that_nothing_heeds_are_an_error(query):
    subject = manager()
    with pytest.raises(ConfigurationError, match="register a resolver"):
        subject.create_subscription(query)
    for name in ("tick", "allOrders", "orderSeen"):
        subject.register_resolver(name, lambda event, arguments: event.payload)
    assert subject.create_subscription(query)


def test_not_a_schema():
    with pytest.raises(ConfigurationError):
        SubscriptionManager(object())


@pytest.mark.parametrize(
    "options",
    [
        *({"max_subscriptions": value} for value in (-1, 0, 1.5, "1", None, True)),
        *({"policy": value} for value in ("x", "coalesce", None, 1)),
        *({"on_error": value} for value in (5, _on_error, "print")),
        *({"limits": None}, {"limits": QueryLimits()}, {"query_limits": None}, {"query_limits": SubscriptionLimits()}),
    ],
)
def test_what_cannot_be_configured(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        manager(**options)


@pytest.mark.parametrize(
    "arguments",
    [
        *({"query": value} for value in (None, 5, b"x")),
        *({"variables": value} for value in (5, [], "x", "", 0)),
        *({"operation_name": value} for value in (5, b"A", [])),
        *({"tenant_id": value} for value in ([1], 5, b"a")),
        *({"user_id": value} for value in ([1], 5, b"a")),
        *({"on_event": value} for value in (5, "print", _on_error)),
        *({"policy": value} for value in ("coalesce", "x", 1)),
    ],
)
def test_what_cannot_be_subscribed_to_takes_no_slot(arguments):
    subject = manager(max_subscriptions=1)
    with pytest.raises(TypeError, match=next(iter(arguments))):
        subject.create_subscription(**{"query": TICK, **arguments})
    assert (subject.get_metrics().created, len(subject._subscribers), len(subject._groups)) == (0, 0, 0)
    assert subject.create_subscription(TICK)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        *(({"topic_or_field": value}, TypeError) for value in (None, 5, b"tick", ["tick"])),
        *(({"topic_or_field": value}, ConfigurationError) for value in ("", "tock", "order.lost", "order_placed")),
        *(
            ({name: value}, TypeError)
            for name in ("tenant_id", "user_id", "cursor")
            for value in (5, b"a", [], object())
        ),
    ],
)
def test_what_cannot_be_published_is_not_counted(arguments, error):
    subject = manager()
    subject.create_subscription(TICK)
    with pytest.raises(error):
        subject.publish_event(**{"topic_or_field": "tick", "payload": 1, **arguments})
    metrics = subject.get_metrics()
    assert (metrics.published, metrics.failed, metrics.delivered) == (0, 0, 0)


def test_a_schema_without_that_name_says_what_there_is():
    with pytest.raises(ConfigurationError, match=r"no subscription field or topic 'tock'; .*order\.placed, .*tick"):
        manager().publish_event("tock", 1)


# Who is given what


def test_subscriptions_with_equal_plans_arguments_and_tenants_share_their_bytes():
    subject = manager()
    ids = [subject.create_subscription(ORDER, tenant_id="a", user_id=str(number)) for number in range(50)]
    other = subject.create_subscription("subscription { orderPlaced { total } }", tenant_id="a")
    assert subject.publish_event("order.placed", ORDERS[0], tenant_id="a") == 51
    first, *bodies = [subject.get_next_event(id_) for id_ in ids]
    assert all(body is first for body in bodies)
    assert subject.get_next_event(other) == b'{"data":{"orderPlaced":{"total":"1.50"}}}'
    assert subject.get_metrics().serialised == 2


def test_tenants():
    subject = manager()
    ids = {tenant: subject.create_subscription(TICK, tenant_id=tenant) for tenant in ("a", "b", "", None)}
    for number, tenant in enumerate(("a", "b", "", "c", None)):
        subject.publish_event("tick", number, tenant_id=tenant)
    taken = {tenant: ticks(drain(subject, id_)) for tenant, id_ in ids.items()}
    assert taken == {"a": [0, 4], "b": [1, 4], "": [2, 4], None: [4]}


def test_users():
    subject = manager()
    keys = [("a", "1"), ("a", "2"), ("b", "1"), ("a", None)]
    ids = {key: subject.create_subscription(TICK, tenant_id=key[0], user_id=key[1]) for key in keys}
    assert subject.publish_event("tick", 0, tenant_id="a", user_id="1") == 1
    assert subject.publish_event("tick", 1, user_id="1") == 2
    assert subject.publish_event("tick", 2, tenant_id="a") == 3
    assert subject.publish_event("tick", 3, user_id="nobody") == 0
    assert [ticks(drain(subject, ids[key])) for key in keys] == [[0, 1, 2], [2], [1], [2]]


def test_a_topic_reaches_all_its_fields_and_a_field_itself_alone():
    subject = manager()
    placed = subject.create_subscription(ORDER)
    seen = subject.create_subscription("subscription { orderSeen { id } }")
    assert subject.publish_event("order.placed", ORDERS[0]) == 2
    assert subject.publish_event("orderSeen", ORDERS[1]) == 1
    assert len(drain(subject, placed)) == 1
    assert len(drain(subject, seen)) == 2
    subject.complete_subscription(placed)
    assert subject.publish_event("order.placed", ORDERS[0]) == 1


SHOP = "00000000-0000-0000-0000-0000000000AB"


@pytest.mark.parametrize(
    ("arguments", "order", "given"),
    [
        ("status: OPEN", {"status": "open"}, True),
        ("status: OPEN", {"status": Status.OPEN}, True),
        ("status: OPEN", {"status": "paid"}, False),
        ("status: OPEN", {"status": None}, False),
        ("note: null", {"note": None}, True),
        ("note: null", {"note": "a"}, False),
        ('note: "a"', {"note": "a"}, True),
        ("total: 1.5", {"total": "1.50"}, True),
        ("total: 1.5", {"total": "1.51"}, False),
        (f'shopId: "{SHOP}"', {"shop_id": SHOP.lower()}, True),
        (f'shopId: "{SHOP}"', {"shop_id": SHOP[:-1] + "C"}, False),
        (f'note: "a", shopId: "{SHOP}"', {"note": "b", "shop_id": SHOP}, False),
    ],
)
def test_arguments_of_an_event_subscription_choose(arguments, order, given):
    subject = manager()
    id_ = subject.create_subscription(f"subscription {{ orderPlaced({arguments}) {{ id }} }}")
    assert subject.publish_event("order.placed", {**ORDERS[0], **order}) == given
    assert len(drain(subject, id_)) == given
    assert subject.get_metrics().skipped == (not given)


@pytest.mark.parametrize("payload", [{"id": 1}, {"id": 1, "status": "lost"}, {"id": 1, "status": 7}, None, 7])
def test_a_payload_that_cannot_be_compared_is_an_error(payload):
    errors = []
    subject = manager(on_error=lambda name, error: errors.append(name))
    id_ = subject.create_subscription("subscription { orderPlaced(status: OPEN) { id } }")
    subject.publish_event("order.placed", payload)
    (result,) = drain(subject, id_)
    assert result["data"] == {"orderPlaced": None}
    assert result["errors"][0]["path"] == ["orderPlaced"]
    assert errors == ["orderPlaced"]


def test_objects_are_payloads_too():
    subject = manager()
    id_ = subject.create_subscription("subscription { orderPlaced(status: PAID) { id status } }")
    order = Order()
    order.id, order.status = 7, Status.PAID
    subject.publish_event("order.placed", order)
    assert drain(subject, id_) == [{"data": {"orderPlaced": {"id": "7", "status": "PAID"}}}]


def test_a_cursor_comes_with_the_result():
    subject = manager()
    id_ = subject.create_subscription(TICK)
    subject.publish_event("tick", 1, cursor="8-3")
    assert drain(subject, id_) == [{"data": {"tick": 1}, "extensions": {"cursor": "8-3"}}]


# Resolvers


def test_a_resolver_makes_the_value():
    subject = manager()
    assert subject.get_resolver("tick") is None
    seen = []

    def resolve(event, arguments):
        seen.append((event.topic, event.payload, event.tenant, event.user, event.cursor, dict(arguments)))
        return SKIP if event.payload % arguments.get("every", 1) else event.payload * 10

    subject.register_resolver("tick", resolve)
    assert subject.get_resolver("tick") is resolve
    every = subject.create_subscription(TICK, tenant_id="a", user_id="u")
    other = subject.create_subscription("subscription ($n: Int) { tick(every: $n) }", {"n": 2}, tenant_id="a")
    given = [subject.publish_event("tick", number, tenant_id="a", cursor="c") for number in (1, 2)]
    assert given == [1, 2]
    assert ticks(drain(subject, every)) == [10, 20]
    assert ticks(drain(subject, other)) == [20]
    assert seen[0] == ("tick", 1, "a", None, "c", {})
    assert seen[1] == ("tick", 1, "a", None, "c", {"every": 2})
    assert subject.get_metrics().skipped == 1
    assert repr(SKIP) == "SKIP"


def test_a_resolver_is_not_called_for_nobody():
    subject = manager()
    subject.register_resolver("tick", lambda event, arguments: pytest.fail("called"))
    subject.create_subscription(TICK, tenant_id="a", user_id="1")
    assert subject.publish_event("tick", 1, tenant_id="b") == 0
    assert subject.publish_event("tick", 1, user_id="2") == 0


def test_a_resolver_that_raises_is_masked_and_breaks_nobody_else():
    errors = []
    subject = manager(on_error=lambda name, error: errors.append((name, str(error))))

    def resolve(event, arguments):
        if "every" in arguments:
            raise ValueError("secret")
        return event.payload

    subject.register_resolver("tick", resolve)
    bad = subject.create_subscription("subscription { x: tick(every: 1) }")
    good = subject.create_subscription(TICK)
    assert subject.publish_event("tick", 1) == 2
    body = subject.get_next_event(bad)
    assert body is not None
    assert b"secret" not in body
    assert json.loads(body) == {
        "errors": [
            {"message": "Internal server error.", "path": ["x"], "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
        ],
        "data": None,
    }
    assert ticks(drain(subject, good)) == [1]
    assert errors == [("tick", "secret")]
    assert subject.get_metrics().failed == 1


def test_a_request_error_of_a_resolver_is_for_the_client():
    subject = manager(on_error=lambda name, error: pytest.fail("told"))

    def resolve(event, arguments):
        raise RequestError("Not yours.", code="FORBIDDEN")

    subject.register_resolver("orderPlaced", resolve)
    id_ = subject.create_subscription(ORDER)
    subject.publish_event("orderPlaced", {}, cursor="5")
    assert drain(subject, id_) == [
        {
            "errors": [{"message": "Not yours.", "path": ["orderPlaced"], "extensions": {"code": "FORBIDDEN"}}],
            "data": {"orderPlaced": None},
            "extensions": {"cursor": "5"},
        }
    ]
    assert subject.get_metrics().failed == 0


def test_a_value_that_does_not_fit_is_counted_without_anybody_to_tell():
    subject = manager()
    id_ = subject.create_subscription(TICK)
    subject.publish_event("tick", "seven")
    (result,) = drain(subject, id_)
    assert result["data"] is None
    assert result["errors"][0]["path"] == ["tick"]
    assert subject.get_metrics().failed == 1


async def _coroutine(event, arguments=None):
    return 1


async def _generator(event, arguments=None):
    yield 1


class _Callable:
    async def __call__(self, event, arguments=None):
        return 1


ASYNC = [_coroutine, _generator, _Callable(), partial(_coroutine, arguments=None)]


@pytest.mark.parametrize("resolver", [*ASYNC, None, 7])
def test_what_is_no_resolver(resolver):
    with pytest.raises(ConfigurationError, match="plain function"):
        manager().register_resolver("tick", resolver)


def test_a_resolver_that_gives_something_to_be_awaited_is_masked():
    errors = []
    subject = manager(on_error=lambda name, error: errors.append((name, str(error))))
    given = [_coroutine(1), Future(loop=new_event_loop())]
    subject.register_resolver("tick", lambda event, arguments: given[event.payload])
    id_ = subject.create_subscription(TICK)
    for number in range(2):
        subject.publish_event("tick", number)
    assert [result["errors"][0]["message"] for result in drain(subject, id_)] == ["Internal server error."] * 2
    assert inspect.getcoroutinestate(given[0]) == inspect.CORO_CLOSED
    assert [(name, "awaited" in text) for name, text in errors] == [("tick", True)] * 2
    given[1].get_loop().close()


def test_an_unknown_field_has_no_resolver():
    for call in (lambda: manager().register_resolver("tock", print), lambda: manager().get_resolver("tock")):
        with pytest.raises(ConfigurationError, match="allOrders, orderPlaced, orderSeen, tick"):
            call()


# Who is too slow


def test_a_slow_subscription_ends_with_an_error_behind_what_waits():
    subject = manager(limits=SubscriptionLimits(max_queued=2))
    called = []
    slow = subject.create_subscription(TICK, on_event=called.append)
    quick = subject.create_subscription(TICK)
    for number in range(4):
        subject.publish_event("tick", number, cursor=f"c{number}")
        assert len(drain(subject, quick)) == 1
    assert not subject.is_active(slow)
    assert subject.is_active(quick)
    assert called == [slow] * 3
    *before, last = drain(subject, slow)
    assert ticks(before) == [0, 1]
    assert last["errors"][0]["extensions"] == {"code": "SLOW_CONSUMER", "cursor": "c1"}
    assert "data" not in last
    assert subject.get_next_event(slow) is None
    metrics = subject.get_metrics()
    assert (metrics.active, metrics.overflowed, metrics.delivered) == (1, 1, 6)
    assert subject.complete_subscription(slow)
    assert subject.get_metrics().active == 1


def test_a_slow_subscription_to_events_without_cursors():
    subject = manager(limits=SubscriptionLimits(max_queued=1))
    id_ = subject.create_subscription(TICK)
    for number in range(2):
        subject.publish_event("tick", number)
    assert drain(subject, id_)[-1]["errors"][0]["extensions"] == {"code": "SLOW_CONSUMER"}


def test_coalescing_keeps_the_latest():
    subject = manager(policy=OverflowPolicy.COALESCE)
    state = subject.create_subscription(TICK)
    events = subject.create_subscription(TICK, policy=OverflowPolicy.DISCONNECT)
    for number in range(5):
        subject.publish_event("tick", number)
    assert ticks(drain(subject, state)) == [4]
    assert ticks(drain(subject, events)) == [0, 1, 2, 3, 4]
    assert subject.get_metrics().coalesced == 4
    subject.complete_subscription(state)
    assert subject.get_metrics().coalesced == 4


# Callbacks


def test_a_callback_may_use_the_manager():
    subject = manager()
    taken = []

    def take(id_):
        taken.extend(drain(subject, id_))
        subject.complete_subscription(second)
        if len(taken) == 1:
            subject.publish_event("tick", 2)

    first = subject.create_subscription(TICK, on_event=take)
    second = subject.create_subscription(TICK, on_event=lambda id_: pytest.fail("was completed"))
    assert subject.publish_event("tick", 1) == 2
    assert ticks(taken) == [1, 2]
    assert subject.is_active(first)


def test_a_resolver_may_complete_a_subscription():
    subject = manager()

    def resolve(event, arguments):
        subject.complete_subscription(second)
        return event.payload

    subject.register_resolver("tick", resolve)
    first = subject.create_subscription(TICK)
    second = subject.create_subscription(TICK)
    assert subject.publish_event("tick", 1) == 1
    assert ticks(drain(subject, first)) == [1]


def test_a_callback_that_raises_keeps_nobody_waiting():
    errors = []
    subject = manager(on_error=lambda name, error: errors.append((name, type(error))))
    called = []

    def fail(id_):
        raise KeyError(id_)

    subject.create_subscription(TICK, on_event=fail)
    last = subject.create_subscription(TICK, on_event=called.append)
    assert subject.publish_event("tick", 1) == 2
    assert called == [last]
    assert errors == [("tick", KeyError)]
    assert subject.get_metrics().failed == 1


# Metrics and memory


def test_metrics():
    subject = manager()
    ids = [subject.create_subscription(TICK) for _ in range(3)]
    before = subject.get_metrics()
    subject.publish_event("tick", 1)
    subject.publish_event("orderPlaced", ORDERS[0])
    subject.complete_subscription(ids[0])
    after = subject.get_metrics()
    assert (before.active, before.published) == (3, 0)
    assert (after.active, after.created, after.completed) == (2, 3, 1)
    assert (after.published, after.serialised, after.delivered) == (2, 1, 3)
    with pytest.raises(AttributeError):
        after.active = 0  # type: ignore[misc]


def test_memory_returns_to_nothing():
    subject = manager(limits=SubscriptionLimits(max_queued=5))

    def use():
        ids = [
            subject.create_subscription(
                ORDER if number % 2 else TICK, tenant_id=f"t{number % 7}", user_id=str(number), on_event=len
            )
            for number in range(500)
        ]
        for number in range(8):  # so that some overflow
            subject.publish_event("order.placed", ORDERS[0], tenant_id=f"t{number % 2}")
            subject.publish_event("tick", number)
        for id_ in ids:
            subject.get_next_event(id_)
            subject.complete_subscription(id_)
        gc.collect()

    use()
    tracemalloc.start()
    try:
        use()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(4):
            use()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 4_000, f"{grown} bytes more after 2,000 subscriptions"
    assert len(subject._groups) == 0
