"""Clients of GraphQL over SSE: one operation after the other, each answered by a stream of events."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson

from fraiseql.testing.simulation.answers import HttpAnswer, StreamEvent, StreamReader
from fraiseql.testing.simulation.following import Followed
from fraiseql.testing.simulation.http_client import READS, Reading
from fraiseql.testing.simulation.network import Wire
from fraiseql.testing.simulation.questions import Mistake, Question

if TYPE_CHECKING:
    from fraiseql.testing.simulation.world import World

__all__ = ["EventStreamClient"]

_KINDS: Final = ("note", "two", "put", "said", "wrong", "count", "count", "noted", "notes")
_ENDLESS: Final = ("noted", "notes")
_SOON: Final = 6.0  # seconds, by which an operation has begun, or failed
_PATIENCE: Final = 60.0  # seconds of who never reads


class EventStreamClient:
    """One client and its connection; see HttpClient for the attributes."""

    def __init__(self, world: World, number: int, random: Random) -> None:
        self._world, self._random, self._number = world, random, number
        self.name = f"client {number}"
        self.excuse = ""
        self.over = False
        self.manner = random.choices(("plain", "leaves", "resets", *READS), (8, 2, 2, 2, 2, 2))[0]
        count = random.randrange(1, 5)
        self._left = [self._question(place) for place in range(count)]
        self._stays = 2.0 + random.random() * 6.0  # for what does not end by itself
        self._stays_till_calm = self.manner == "plain" and random.random() < 0.3
        self._running: Followed | None = None
        self._since = 0.0
        self._complete = False
        self._reader = StreamReader()

    def _question(self, place: int) -> Question:
        what = self._random.choice(_KINDS)
        size = self._random.choice((1, 40, 200) if what == "count" else (0, 500, 3_000))
        return Question(what, f"c{self._number}r{place}x", size)

    def start(self) -> None:
        """Connect, and begin."""
        self._wire: Wire = self._world.connect(self)
        how = READS.get(self.manner, "at once")
        if how != "at once":
            self.excuse = "it does not read in time"
        self.over = how == "never"
        if self.over:  # what is said of nothing fits on its way for ever
            self._world.loop.call_later(_PATIENCE, self._wire.leave)
        Reading(self._world, self._wire, self._random, how)
        self.tell("connects for events as %s: %s, %d operations", self._wire.name, self.manner, len(self._left))
        if self.manner in ("leaves", "resets"):
            self._world.loop.call_later(self._random.random() * 2.0, self._leave)
        self._go_on()

    def tell(self, what: str, *values: object) -> None:
        """Note it in the story."""
        self._world.story.tell(self.name, what, *values)

    @property
    def waits_for_nothing(self) -> bool:
        """Whether all it has asked for has ended, or goes on for ever, and it reads."""
        if self.over or self.excuse:
            return False
        if self._running is None:
            return True
        return self._running.question.what in _ENDLESS and self._world.loop.time() > self._since + _SOON

    # What it does

    def _go_on(self) -> None:
        if (self.over and self.manner != "never reads") or self._running is not None:
            return
        if not self._left:
            self.tell("has all answers")
            self._leave()
            return
        question = self._left.pop(0)
        self._running = running = Followed(question)
        self._complete = False
        self._since = self._world.loop.time()
        self._world.asked(question)
        self.tell("asks %s %s", question.what, question.marker)
        how = self._random.choice(("post", "post", "chunked") if question.writes else ("get", "post", "chunked"))
        data = question.http(self._random, how)
        self._wire.write(data.replace(b"host: s\r\n", b"host: s\r\naccept: text/event-stream\r\n", 1))
        if question.what in _ENDLESS:
            self._world.loop.call_later(self._stays, self._have_enough, running)

    def _have_enough(self, running: Followed) -> None:
        """End a stream that does not end by itself: by going, there is no other way."""
        if self._running is not running or self.over:
            return
        if self._stays_till_calm:
            self._stays_till_calm = False
            self._world.loop.call_at(self._world.calm_at + self._number * 0.1, self._have_enough, running)
            return
        if running.question.what == "notes" and self._world.loop.time() > self._world.calm_at:
            self._look_at_state(running)
        self._leave()

    def _look_at_state(self, running: Followed) -> None:
        """All is well again: who has a live query knows the present state."""
        if self.excuse or self._world.changes_late or self._world.excuse(self):
            return
        self.tell("has seen the state %s", running.last)
        if running.last != self._world.database.committed.total():
            self._world.violated(f"{self.name} has seen the state {running.last} of its live query last")

    def _leave(self) -> None:
        if self.over:
            return
        resets = self.manner == "resets"
        self.tell("vanishes" if resets else "leaves")
        self.excuse = self.excuse or "it has left"
        self._finish()
        (self._wire.reset if resets else self._wire.leave)()

    def _finish(self) -> None:
        self.over = True
        self._world.over(self)

    # What comes

    def received(self, data: bytes) -> None:
        """Bytes of answers."""
        try:
            for found in self._reader.feed(data):
                self._refused(found) if isinstance(found, HttpAnswer) else self._told(found)
        except (ValueError, KeyError) as error:
            self._world.violated(f"{self.name} cannot read what the server sends: {error!r}")
        except Mistake as mistake:
            self._world.violated(f"{self.name}: {mistake}")

    def _refused(self, answer: HttpAnswer) -> None:
        self.tell("is refused: %d %s", answer.status, answer.body)
        if not self.excuse and not self._world.excuse(self):
            raise Mistake(f"it is refused for no reason: {answer.status} {answer.body!r}")
        self._running = None

    def _told(self, event: StreamEvent) -> None:
        running = self._running
        if running is None or (self._complete and event.name != "end"):
            raise Mistake(f"it is told of what is over: {event}")
        self.tell("is told: %s %s", event.name, event.data)
        if event.name == "next":
            self._next(running, orjson.loads(event.data), event.data)
        elif event.name == "complete":
            self._complete = True
            running.end(faults=self._world.faulty or self._world.excuse(self) != "")
        elif event.name == "end":
            self._ended(running)
        else:
            raise Mistake(f"it is told of {event.name!r}")

    def _next(self, running: Followed, payload: dict[str, Any], text: bytes) -> None:
        question = running.question
        running.results += 1
        if running.is_stream:
            codes = {error["extensions"]["code"] for error in payload.get("errors") or ()}
            may_fail = self._world.faulty or codes == {"SLOW_CONSUMER"} or self._world.excuse(self) != ""
            running.follow(payload, faults=may_fail)
            return
        if running.results > 1:
            raise Mistake(f"{question.marker} has {running.results} answers")
        self._world.answered(question, question.verdict(text, faults=self._world.may_fail(question)))

    def _ended(self, running: Followed) -> None:
        """The answer is over: by `complete`, or because the server drains."""
        if not self._complete and not self._world.excuse(self):
            raise Mistake(f"the stream of {running.question.marker} ends without being complete")
        self._running = None
        if not self.over:
            self._world.loop.call_later(self._random.choice((0.0, 0.001, 0.3)), self._go_on)

    def ended(self, how: str) -> None:
        """The server has closed."""
        self.tell("meets the end of its connection (%s)", how)
        if not self.excuse and not self._world.excuse(self):
            self._world.violated(f"{self.name} was cut off for no reason ({how})")
        if not self.over:
            self._finish()
            self._wire.leave()
