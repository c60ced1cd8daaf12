"""Whatever is subscribed, published and completed: everybody is given just what is theirs, made once."""

from __future__ import annotations

import json
from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fraiseql.limits import SubscriptionLimits
from subscriptions.conftest import manager

MAX_QUEUED = 3
QUERIES = {
    "subscription { tick }": ("tick", 1),
    "subscription { a: tick(every: 2) }": ("a", 2),
    "subscription ($n: Int) { a: tick(every: $n) }": ("a", 2),
    "subscription { tick(every: 3) }": ("tick", 3),
}
tenants = st.sampled_from(["a", "b", None])
users = st.sampled_from(["1", "2", None])


class Model(RuleBasedStateMachine):
    """The manager beside the simplest thing that does the same."""

    def __init__(self) -> None:
        super().__init__()
        self.resolved: list[tuple[int, int]] = []
        self.manager = manager(limits=SubscriptionLimits(max_queued=MAX_QUEUED))
        self.manager.register_resolver("tick", self.resolve)
        self.known: dict[str, tuple[str, str | None, str | None]] = {}
        self.waiting: dict[str, deque[object]] = {}
        self.over: set[str] = set()
        self.count = 0

    def resolve(self, event, arguments):
        every = arguments.get("every", 1)
        self.resolved.append((event.payload, every))
        return event.payload * every

    @rule(query=st.sampled_from(sorted(QUERIES)), tenant=tenants, user=users)
    def create(self, query, tenant, user):
        variables = {"n": 2} if "$n" in query else None
        id_ = self.manager.create_subscription(query, variables, tenant_id=tenant, user_id=user)
        assert id_ not in self.known
        self.known[id_] = (query, tenant, user)
        self.waiting[id_] = deque()

    @rule(tenant=tenants, user=users)
    def publish(self, tenant, user):
        self.count += 1
        self.resolved.clear()
        audience = [
            id_
            for id_, (_, of_tenant, of_user) in self.known.items()
            if id_ not in self.over and tenant in (None, of_tenant) and user in (None, of_user)
        ]
        given = self.manager.publish_event("tick", self.count, tenant_id=tenant, user_id=user, cursor=str(self.count))
        assert given == len(audience)
        groups = {(self.known[id_][0], self.known[id_][1]) for id_ in audience}
        assert len(self.resolved) == len(groups), "once for all with the same plan, arguments and tenant"
        for id_ in audience:
            key, every = QUERIES[self.known[id_][0]]
            if len(self.waiting[id_]) < MAX_QUEUED:
                self.waiting[id_].append((key, self.count * every, str(self.count)))
            else:
                self.waiting[id_].append(("too slow", self.waiting[id_][-1][2]))
                self.over.add(id_)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def take(self, data):
        id_ = data.draw(st.sampled_from(sorted(self.known)))
        body = self.manager.get_next_event(id_)
        if not self.waiting[id_]:
            assert body is None
            return
        assert body is not None
        expected, result = self.waiting[id_].popleft(), json.loads(body)
        if expected[0] == "too slow":
            assert result["errors"][0]["extensions"] == {"code": "SLOW_CONSUMER", "cursor": expected[1]}
        else:
            assert result == {"data": {expected[0]: expected[1]}, "extensions": {"cursor": expected[2]}}

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def complete(self, data):
        id_ = data.draw(st.sampled_from(sorted(self.known)))
        assert self.manager.complete_subscription(id_)
        del self.known[id_], self.waiting[id_]
        self.over.discard(id_)

    @invariant()
    def the_counts_agree(self):
        assert self.manager.get_metrics().active == len(self.known) - len(self.over)

    def teardown(self):
        for id_ in self.known:
            assert self.manager.complete_subscription(id_)
        assert len(self.manager._groups) == 0
        assert self.manager.get_metrics().active == 0


Model.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
TestModel = Model.TestCase
