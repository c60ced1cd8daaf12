"""Clients of graphql-transport-ws."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson

from fraiseql.testing.simulation.answers import AnswerReader, Frame, FrameReader, client_frame
from fraiseql.testing.simulation.following import Followed
from fraiseql.testing.simulation.http_client import READS, Reading
from fraiseql.testing.simulation.network import Wire
from fraiseql.testing.simulation.questions import Mistake, Question

if TYPE_CHECKING:
    from fraiseql.testing.simulation.world import World

__all__ = ["WebSocketClient"]

_UPGRADE: Final = (
    b"GET /graphql HTTP/1.1\r\nhost: s\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class _Operation(Followed):
    """One operation of the client's."""

    completed = False  # by the client


class WebSocketClient:
    """One client and its connection; see HttpClient for the attributes."""

    def __init__(self, world: World, number: int, random: Random) -> None:
        self._world, self._random, self._number = world, random, number
        self.name = f"client {number}"
        self.excuse = ""
        self.manner = random.choices(("plain", "leaves", "resets", "nonsense", *READS), (8, 2, 2, 1, 2, 2, 2))[0]
        self.over = False
        self._http = AnswerReader()
        self._frames = FrameReader()
        self._operations: dict[str, _Operation] = {}
        self._left = random.randrange(2, 7)
        self._asked = 0
        self._stays = 2.0 + random.random() * 4.0
        self._last = random.random() < 0.5 and self.manner == "plain"  # it asks again once all is well
        self._is_open = False
        self._closing = False

    def start(self) -> None:
        """Connect, and begin."""
        self._wire: Wire = self._world.connect(self)
        how = READS.get(self.manner, "at once")
        if how != "at once":
            self.excuse = "it does not read in time"
        self.over = how == "never"
        Reading(self._world, self._wire, self._random, how)
        self.tell("connects by WebSocket as %s: %s, %d operations", self._wire.name, self.manner, self._left)
        loop = self._world.loop
        if self.manner in ("leaves", "resets"):
            loop.call_later(self._random.random() * 2.0, self._leave)
        if how != "never":
            loop.call_later(self._stays, self._close)
        self._wire.write(_UPGRADE)
        if how == "never":  # it does not wait for what it cannot know
            self._say({"type": "connection_init"})
            self._go_on()

    def tell(self, what: str, *values: object) -> None:
        """Note it in the story."""
        self._world.story.tell(self.name, what, *values)

    @property
    def waits_for_nothing(self) -> bool:
        """Whether it is connected, all that it has asked for has ended, and it reads."""
        return self._is_open and not self.over and not self._closing and not self._operations and not self.excuse

    # What it does

    def _say(self, message: dict[str, Any]) -> None:
        payload = orjson.dumps(message)
        self._wire.write(client_frame(_TEXT, payload))

    def _go_on(self) -> None:
        if (self.over and self.manner != "never reads") or self._closing:
            return
        if self._left:
            self._left -= 1
            self._ask()
            self._world.loop.call_later(self._random.choice((0.0, 0.01, 0.3)), self._go_on)
        elif self.manner == "nonsense":
            self.excuse = "it sends nonsense"
            self.tell("sends nonsense")
            self._wire.write(self._random.choice((b"\xff\xff\xff", client_frame(_TEXT, b'{"type":"nothing"}'))))

    def _ask_last(self) -> None:
        """All is well again: a question is answered, and who has a live query knows the present state."""
        if self.over or self._closing or self._world.excuse(self):
            return
        for operation in self._operations.values():
            if operation.question.what == "notes" and not operation.completed and not self._world.changes_late:
                self.tell("has seen the state %s", operation.last)
                if operation.last != self._world.database.committed.total():
                    self._world.violated(f"{self.name} has seen the state {operation.last} of its live query last")
        question = self._ask("note", 10)
        self._world.sound.add(question.marker)

    def _ask(self, what: str = "", size: int = 0) -> Question:
        random = self._random
        if not what:
            what = random.choice(("note", "two", "put", "said", "wrong", "noted", "noted", "notes", "count"))
            size = random.choice((1, 40)) if what == "count" else random.choice((0, 500, 3_000))
        question = Question(what, f"c{self._number}r{self._asked}x", size)
        name = f"o{self._asked}"
        self._asked += 1
        self._operations[name] = operation = _Operation(question)
        self._world.asked(question)
        self.tell("asks %s %s as %s", what, question.marker, name)
        self._say({"type": "subscribe", "id": name, "payload": question.payload})
        if random.random() < 0.2 and self._left:
            self._world.loop.call_later(random.random() * 0.5, self._complete, name, operation)
        return question

    def _complete(self, name: str, operation: _Operation) -> None:
        if self._operations.get(name) is operation and not self.over and not self._closing:
            self.tell("wants no more of %s", name)
            operation.completed = True
            self._say({"type": "complete", "id": name})
            self._say({"type": "ping", "payload": {"after": name}})

    def _close(self) -> None:
        """Finish what ends by itself, and then leave."""
        if self.over or self._closing:
            return
        waits = [o for o in self._operations.values() if o.question.what not in ("noted", "notes") and not o.completed]
        if (waits or self._left) and not self.excuse:
            self._world.loop.call_later(0.5, self._close)
            return
        if self._last:
            self._last = False
            loop = self._world.loop
            loop.call_at(self._world.calm_at + self._number * 0.1, self._ask_last)
            loop.call_at(self._world.calm_at + 3.0, self._close)
            return
        self._closing = True
        self.tell("closes")
        self.excuse = self.excuse or "it has closed"
        self._wire.write(client_frame(_CLOSE, b"\x03\xe8"))
        if self._random.random() < 0.3:
            self._leave()
        else:
            self._world.loop.call_later(8.0, self._leave)

    def _leave(self) -> None:
        if self.over:
            return
        self.tell("vanishes" if self.manner == "resets" else "leaves")
        self.excuse = self.excuse or "it has left"
        self._finish()
        (self._wire.reset if self.manner == "resets" else self._wire.leave)()

    def _finish(self) -> None:
        self.over = True
        self._world.over(self)

    # What comes

    def received(self, data: bytes) -> None:
        """Bytes of the server."""
        try:
            frames = self._frames.feed(data if self._is_open else self._opened(data))
        except (ValueError, KeyError) as error:
            self._world.violated(f"{self.name} cannot read what the server sends: {error!r}")
            return
        for frame in frames:
            self._framed(frame)

    def _opened(self, data: bytes) -> bytes:
        """Read the answer to the handshake; gives what comes behind it."""
        for answer in self._http.feed(data):
            self._is_open = answer.status == 101
            if not self._is_open:
                self._refused(answer.status, answer.body)
        if not self._is_open:
            return b""
        self._say({"type": "connection_init"})
        return self._http.rest

    def _refused(self, status: int, body: bytes) -> None:
        self.tell("is refused: %d %s", status, body)
        if not self.excuse and not self._world.excuse(self):
            self._world.violated(f"{self.name} is refused for no reason: {status} {body!r}")

    def _framed(self, frame: Frame) -> None:
        if frame.opcode == _PING:
            self._wire.write(client_frame(_PONG, frame.payload))
        elif frame.opcode == _CLOSE:
            self.tell("is told that it is over: %s", frame.payload)
            if not self.excuse and not self._world.excuse(self):
                self._world.violated(f"{self.name} is closed for no reason: {frame.payload!r}")
            if not self._closing:
                self._closing = True
                self._wire.write(client_frame(_CLOSE, frame.payload[:2]))
        elif frame.opcode == _TEXT:
            self._message(orjson.loads(frame.payload), frame.payload)

    def _message(self, message: dict[str, Any], text: bytes) -> None:
        kind, name = message["type"], message.get("id", "")
        if kind == "connection_ack":
            if self.manner != "never reads":
                self._go_on()
            return
        if kind == "ping":
            self._say({"type": "pong"})
            return
        if kind == "pong":
            done = str((message.get("payload") or {}).get("after"))
            self._operations.pop(done, None)
            return
        operation = self._operations.get(name)
        if operation is None:
            self._world.violated(f"{self.name} is told of {name}, which is over: {text[:200]!r}")
            return
        take: Callable[[str, _Operation, Any], None] = {
            "next": self._next,
            "error": self._error,
            "complete": self._completed,
        }[kind]
        try:
            take(name, operation, message.get("payload"))
        except Mistake as mistake:
            self._world.violated(f"{self.name}: {mistake}")

    def _next(self, name: str, operation: _Operation, payload: Any) -> None:
        question = operation.question
        self.tell("is given for %s: %s", name, orjson.dumps(payload))
        operation.results += 1
        if operation.is_stream:
            operation.follow(payload, faults=self._world.faulty)
            return
        if operation.results > 1:
            raise Mistake(f"{question.marker} has {operation.results} answers")
        verdict = question.verdict(orjson.dumps(payload), faults=self._world.may_fail(question))
        self._world.answered(question, verdict)

    def _error(self, name: str, operation: _Operation, payload: Any) -> None:
        self.tell("is told of %s: %s", name, orjson.dumps(payload))
        del self._operations[name]
        codes = {error["extensions"]["code"] for error in payload}
        if operation.question.what == "wrong" and codes == {"GRAPHQL_VALIDATION_FAILED"}:
            return
        if codes == {"SLOW_CONSUMER"} and operation.is_stream:
            return  # a small window is enough for that
        if not self._world.faulty and not self._world.excuse(self):
            raise Mistake(f"{operation.question.marker} fails for no reason: {payload}")

    def _completed(self, name: str, operation: _Operation, payload: Any) -> None:
        self.tell("is told that %s is complete", name)
        del self._operations[name]
        operation.end(faults=self._world.faulty)

    def ended(self, how: str) -> None:
        """The server has closed."""
        self.tell("meets the end of its connection (%s)", how)
        if not self.excuse and not self._world.excuse(self):
            self._world.violated(f"{self.name} was cut off for no reason ({how})")
        if not self.over:
            self._finish()
            self._wire.leave()
