"""A transaction of the simulation, on a scripted connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fraiseql.effects import Fetch
from fraiseql.errors import DatabaseError
from fraiseql.runtimes.dispatching import Ticket
from fraiseql.testing.simulation.links import ScriptedLink
from fraiseql.testing.simulation.tasks import Cancelled, Wait

__all__ = ["OwnTransaction"]


class OwnTransaction:
    """What Begin gives.

    Args:
        link: of the lease.
        lease: is released in the end.
        left: called once nothing more runs in it.
        ended: called when it has come to its end, before the lease is released.
    """

    def __init__(
        self,
        link: ScriptedLink,
        lease: Ticket,
        left: Callable[[OwnTransaction], None],
        ended: Callable[[], None],
    ) -> None:
        self._link, self._lease, self._left, self._ended = link, lease, left, ended
        self._over = False
        link.begin()

    async def run(self, effect: Fetch) -> Any:
        """One statement of it."""
        self._need_open()
        wait = Wait()
        abandon = self._link.run(effect, wait.set)
        try:
            return await wait
        except Cancelled:
            if not wait.done:
                self._leave(lambda: abandon(self._roll_back))
            raise
        except DatabaseError:
            if self._link.is_lost:
                self._leave(self._give_back)
            raise

    async def commit(self) -> None:
        """Commit; it is over then, whatever comes of it."""
        self._need_open()
        wait = Wait()
        abandon = self._link.commit(wait.set)
        try:
            await wait
        except Cancelled:
            self._leave(self._give_back if wait.done else lambda: abandon(self._give_back))
            raise
        except DatabaseError:
            self._leave(self._give_back)
            raise
        self._leave(self._give_back)

    async def rollback(self) -> None:
        """Roll back, if it is not over."""
        if self._over:
            return
        wait = Wait()
        self._leave(lambda: self._roll_back(wait.set))
        await wait

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end, or is on its way there."""
        return self._over

    def end(self) -> None:
        """Its program has ended."""
        if not self._over:
            self._leave(self._roll_back)

    def _need_open(self) -> None:
        if self._over:
            raise DatabaseError("the transaction was rolled back", sqlstate="25P02")

    def _leave(self, finish: Callable[[], None]) -> None:
        self._over = True
        self._left(self)
        finish()

    def _roll_back(self, then: Callable[[], Any] = lambda: None) -> None:
        def ended(_: Any, error: DatabaseError | None) -> None:
            self._give_back()
            then()

        if self._link.is_lost or self._link.fault("") not in (None, ""):
            ended(None, None)
        else:
            self._link.rollback(ended)

    def _give_back(self) -> None:
        self._ended()
        self._lease.release("a transaction did not come to a clean end in time")
