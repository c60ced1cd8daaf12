"""Who is given the same results: subscriptions with equal plans, arguments and tenants, found by what is published."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from fraiseql.pipeline import PreparedSubscription
from fraiseql.subscriptions.subscriber import Subscriber

__all__ = ["Group", "Groups"]


class Group:
    """Subscriptions that are given the same bytes.

    Attributes:
        prepared: makes the bytes.
        names: what an event may be published under to reach it.
        tenant: whose events it sees, beside those of none.
        members: by id.
    """

    __slots__ = ("key", "members", "names", "prepared", "tenant")

    def __init__(self, prepared: PreparedSubscription, tenant: str | None) -> None:
        field = prepared.field
        self.prepared = prepared
        self.names = frozenset({field.name} if field.topic is None else {field.name, field.topic})
        self.tenant = tenant
        self.key: Hashable = (field.name, prepared.key)
        self.members: dict[str, Subscriber] = {}

    def audience(self, user: str | None) -> list[Subscriber]:
        """The members that an event is for: all, or those of one user."""
        return [member for member in self.members.values() if user is None or member.user_id == user]


class Groups:
    """All groups; those without members are forgotten."""

    __slots__ = ("_found", "_of")

    def __init__(self) -> None:
        # Name -> tenant -> key: an event of one tenant does not even meet the groups of another
        self._found: dict[str, dict[str | None, dict[Hashable, Group]]] = {}
        self._of: dict[str, Group] = {}  # by the subscription's id

    def __len__(self) -> int:
        return len(self._found)

    def add(self, prepared: PreparedSubscription, tenant: str | None, subscriber: Subscriber) -> None:
        """Let a subscription take part in its group, which is made where there is none."""
        group = Group(prepared, tenant)
        group = self._found.get(prepared.field.name, {}).get(tenant, {}).get(group.key, group)
        for name in group.names if not group.members else ():
            self._found.setdefault(name, {}).setdefault(tenant, {})[group.key] = group
        group.members[subscriber.id] = subscriber
        self._of[subscriber.id] = group

    def remove(self, subscriber: Subscriber) -> None:
        """Let a subscription that takes part do so no more."""
        group = self._of.pop(subscriber.id)
        subscriber.is_active = False
        del group.members[subscriber.id]
        for name in group.names if not group.members else ():
            tenants = self._found[name]
            del tenants[group.tenant][group.key]
            if not tenants[group.tenant]:
                del tenants[group.tenant]
            if not tenants:
                del self._found[name]

    def find(self, name: str, tenant: str | None) -> list[Group]:
        """The groups that an event is for: of its tenant, or of all where it has none."""
        return list(self._find(name, tenant))

    def _find(self, name: str, tenant: str | None) -> Iterator[Group]:
        tenants = self._found.get(name, {})
        if tenant is not None:
            yield from tenants.get(tenant, {}).values()
            return
        for groups in tenants.values():
            yield from groups.values()
