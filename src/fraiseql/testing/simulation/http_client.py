"""Clients of HTTP/1.1, good and bad ones."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING, Final

from fraiseql.testing.simulation.answers import AnswerReader, HttpAnswer
from fraiseql.testing.simulation.network import Wire
from fraiseql.testing.simulation.questions import Mistake, Question

if TYPE_CHECKING:
    from fraiseql.testing.simulation.world import World

__all__ = ["READS", "HttpClient", "Reading"]

_KINDS: Final = ("note", "note", "note", "two", "said", "put", "put", "put_two", "wrong")
_READS: Final = ("note", "note", "note", "two", "put")  # so few, that what they cost is soon known
_GARBAGE: Final = (
    b"NONSENSE\r\n\r\n",
    b"POST /graphql HTTP/1.1\r\nhost: s\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
    b"GET /graphql HTTP/9.9\r\n\r\n",
    b"POST /graphql HTTP/1.1\r\nhost: s\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
)


READS: Final = {"never reads": "never", "reads slowly": "slowly", "reads late": "late"}
"""Manners of clients that do not read at once, and how they read."""


class Reading:
    """How a client reads: at once, a piece every now and then, late and then at once, or never."""

    def __init__(self, world: World, wire: Wire, random: Random, how: str) -> None:
        self._world, self._wire, self._random = world, wire, random
        self._size = random.randrange(100, 800)
        self._pause = random.choice((0.01, 0.05, 0.2))
        wire.reads = how == "at once"
        if how == "slowly":
            world.loop.call_later(self._pause, self._read)
        elif how == "late":
            world.loop.call_later(1.0 + 2.5 * random.random(), self._wake)

    def _wake(self) -> None:
        self._wire.reads = True
        self._wire.read_all()

    def _read(self) -> None:
        self._wire.read(self._size)
        if self._wire.finished():
            self._wire.read_all()
        else:
            self._world.loop.call_later(self._pause, self._read)


class HttpClient:
    """One client and its connection.

    Attributes:
        name: in the story.
        in_crowd: whether it comes together with others, and asks what they ask.
        excuse: why its connection may be closed without an answer; empty where it may not.
        open: the questions that were asked and not answered.
    """

    def __init__(self, world: World, number: int, random: Random, *, in_crowd: bool = False) -> None:
        self._world, self._random, self._number = world, random, number
        self.name = f"client {number}"
        self.in_crowd = in_crowd
        self.excuse = ""
        manner = random.choices(
            ("plain", "stays", "malformed", "stalls", "leaves", "resets", "ends early", "floods", *READS),
            (8, 4, 2, 1, 2, 2, 1, 1, 2, 2, 2),
        )[0]
        if in_crowd and random.random() < 0.7:
            manner = "plain"
        self.manner = manner
        large = manner in READS or random.random() < 0.1
        self._depth = random.choice((1, 2, 4, 12) if large else (1, 1, 2, 4))
        count = random.randrange(1, 13 if large or in_crowd else 7)
        self._kinds = _READS if in_crowd else _KINDS
        self._pauses = (0.0, 0.0005) if in_crowd else (0.0, 0.001, 0.03)
        if manner == "floods":
            self._depth = count = random.randrange(25, 45)
        self._left = deque(self._question(number, place, large) for place in range(count))
        self._last = Question("note", f"c{number}r{count}x", 10) if manner == "stays" else None
        self._waits = False
        self._must_refuse = False
        self.open: deque[tuple[int, Question]] = deque()
        self._asked = 0
        self._sizes: list[int] = []
        self._reader = AnswerReader()
        self.over = False

    def _question(self, number: int, place: int, large: bool) -> Question:
        size = self._random.choice((1_000, 3_000, 8_000)) if large else self._random.choice((0, 10, 100))
        return Question("note" if large else self._random.choice(self._kinds), f"c{number}r{place}x", size)

    def start(self) -> None:
        """Connect, and begin."""
        self._wire: Wire = self._world.connect(self)
        how = READS.get(self.manner, "at once")
        if how != "at once":
            self.excuse = "it does not read in time"
        self.over = how == "never"  # it will never know what becomes of it
        Reading(self._world, self._wire, self._random, how)
        loop = self._world.loop
        self.tell(
            "connects as %s: %s, %d requests, %d at once", self._wire.name, self.manner, len(self._left), self._depth
        )
        if self.manner in ("leaves", "resets"):
            loop.call_later(self._random.random() * 0.3, self._leave)
        self._go_on()

    def tell(self, what: str, *values: object) -> None:
        """Note it in the story."""
        self._world.story.tell(self.name, what, *values)

    @property
    def waits_for_nothing(self) -> bool:
        """Whether it has a connection, has been answered everything, and reads."""
        return not self.over and not self.open and not self.excuse and bool(self._asked)

    @property
    def held(self) -> int:
        """How many bytes the server has taken in beyond the request that it answers."""
        if not self._asked or len(self._sizes) <= self._wire.answers:
            return 0
        return self._wire.taken - sum(self._sizes[: self._wire.answers + 1]) - self._wire.most_taken

    # What it does

    def _go_on(self) -> None:
        while self._left and len(self.open) < self._depth and (not self.over or self.manner == "never reads"):
            question = self._left.popleft()
            self._asked += 1
            how = self._random.choice(("post", "post", "chunked") if question.writes else ("get", "post", "chunked"))
            self.open.append((self._asked, question))
            self._world.asked(question)
            self.tell("asks %s %s by %s", question.what, question.marker, how)
            data = question.http(self._random, how)
            if not self._left and self.manner == "stalls":
                data = data[: self._random.randrange(1, len(data))]
                self.excuse = "it has sent half of a request"
            if not self._left and self.manner == "plain" and self._random.random() < 0.3:
                data = data.replace(b"host: s\r\n", b"host: s\r\nconnection: close\r\n", 1)
            self._sizes.append(len(data))
            self._wire.write(data)
        if not self._left and not self.over:
            self._last_words()

    def _last_words(self) -> None:
        if self.manner == "malformed" and not self.excuse:
            self.excuse = "it sends nonsense"
            self.tell("sends nonsense")
            self._must_refuse = self._wire.closes_in_order and not self._world.excuse(self)
            self._wire.write(self._random.choice(_GARBAGE) + b"more nonsense" * self._random.randrange(50))
        elif self._last is not None:
            if not self.open and not self._waits:
                self._waits = True
                self._world.loop.call_at(self._world.calm_at + self._number % 100 * 0.3, self._ask_last)
        elif self.manner == "ends early" and self.open and not self.excuse:
            self.excuse = "it has closed its side"
            self.tell("closes its side")
            self._wire.end()
        elif not self.open:
            self.tell("has all answers, and leaves")
            self._finish("")
            self._random.choice((self._wire.end, self._wire.leave))()

    def _ask_last(self) -> None:
        """All is well again: a question is answered."""
        if self._last is not None and not self.over:
            self._left.append(self._last)
            self._world.sound.add(self._last.marker)
            self._last = None
            self._go_on()

    def _leave(self) -> None:
        if self.over:
            return
        resets = self.manner == "resets"
        self.tell("vanishes" if resets else "leaves")
        self._finish("it has left")
        self._wire.reset() if resets else self._wire.leave()

    def _finish(self, excuse: str) -> None:
        self.over = True
        self.excuse = self.excuse or excuse
        self._world.over(self)

    # What comes

    def received(self, data: bytes) -> None:
        """Bytes of answers."""
        try:
            answers = self._reader.feed(data)
        except (ValueError, KeyError) as error:
            self._world.violated(f"{self.name} reads no answer of HTTP: {error!r}")
            return
        for answer in answers:
            self._answered(answer)
        if answers and not self.over:
            self._world.loop.call_later(self._random.choice(self._pauses), self._go_on)

    def _answered(self, answer: HttpAnswer) -> None:
        closes = answer.headers.get(b"connection") == b"close"
        if answer.status in (400, 408, 501, 505, 503) and closes and self._is_refusal(answer):
            self.tell("is refused: %d %s", answer.status, answer.body)
            self._must_refuse = False
            if not self.excuse and not self._world.excuse(self):
                self._world.violated(f"{self.name} is refused for no reason: {answer.status} {answer.body!r}")
            return
        if not self.open:
            self._world.violated(f"{self.name} is given an answer that it has not asked for: {answer.body[:200]!r}")
            return
        number, question = self.open.popleft()
        self.tell("is answered %s: %d %s", question.marker, answer.status, answer.body)
        try:
            verdict = question.verdict(answer.body, faults=self._world.may_fail(question))
            _check_request_id(answer.body, number)
        except Mistake as mistake:
            self._world.violated(f"{self.name}: {mistake}")
            return
        self._world.answered(question, verdict)

    def _is_refusal(self, answer: HttpAnswer) -> bool:
        """Whether it answers no request, but the connection: it then names none."""
        return b'"code":"BAD_REQUEST"' in answer.body or b"SERVER_BUSY" in answer.body

    def ended(self, how: str) -> None:
        """The server has closed."""
        self.tell("meets the end of its connection (%s), %d answers missing", how, len(self.open))
        if self._must_refuse and not self._world.excuse(self):
            self._world.violated(f"{self.name} was not told what is wrong with its nonsense ({how})")
        if (self.open or self._left or self._last) and not self.excuse and not self._world.excuse(self):
            missing = ", ".join(question.marker for _, question in self.open) or "all that is still to come"
            self._world.violated(f"{self.name} was cut off from {missing} for no reason ({how})")
        if not self.over:
            self._finish("its connection has ended")
            self._wire.leave()


def _check_request_id(body: bytes, number: int) -> None:
    at = body.find(b'"requestId":"')
    if at >= 0:
        name = body[at + 13 : body.index(b'"', at + 13)]
        if not name.endswith(b"-%d" % number):
            raise Mistake(f"the error of request {number} names {name.decode()}")
