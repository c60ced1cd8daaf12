"""The operations of one WebSocket: what runs, what it brings, and what is kept of that for a slow client."""

from __future__ import annotations

from typing import Any, Final

from fraiseql.context import ANONYMOUS, Caller
from fraiseql.effects import Emission
from fraiseql.errors import RequestError
from fraiseql.observations import InternalErrorMasked, OperationCompleted
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, check_depth, refuse, with_idempotency_key
from fraiseql.protocol import graphql_transport_ws as graphql
from fraiseql.session.delivery import Delivery, Unread
from fraiseql.session.endpoint import Endpoint
from fraiseql.session.events import CancelOperation, Command, PauseOperation, ResumeOperation, StartOperation
from fraiseql.session.outgoing import Outgoing

__all__ = ["Operations"]

# Outcomes of requests that were not executed, or broke off: a terminal `error`. All others are results.
_REFUSED: Final = (
    *(Outcome.NOT_PARSED, Outcome.NOT_VALID, Outcome.OPERATION_UNKNOWN, Outcome.CALLER_REFUSED),
    *(Outcome.KEY_REUSED, Outcome.STREAM_FAILED),
)

_IN_MESSAGE: Final = ("payload", "variables")
_TIMED_OUT: Final = ("The request took longer than the server allows.", "REQUEST_TIMEOUT")
_BROKEN: Final = ("Internal server error.", "INTERNAL_SERVER_ERROR")


class _Running:
    """An operation under way.

    Attributes:
        deadline: when it takes too long; None for a subscription.
    """

    __slots__ = ("began", "deadline", "delivery", "operation")

    def __init__(self, operation: graphql.Operation, began: float, deadline: float, delivery: Delivery) -> None:
        self.operation = operation
        self.began = began
        self.deadline: float | None = deadline
        self.delivery = delivery


class Operations:
    """Starts operations, answers for them, and ends them; each has a number of its own.

    Args:
        endpoint: what all connections share.
        machine: says what the client wants, and spells the answers.
        outgoing: takes the answers.
        unread: bounds what is kept for a client that does not read.
        connection_id: request ids begin with it.
        last_number: of the requests that came before on this connection.

    Attributes:
        caller: who the client is.
        refuses: whether no more operations are started: the server stops.
    """

    __slots__ = (
        "_connection_id",
        "_count",
        "_endpoint",
        "_machine",
        "_numbers",
        "_outgoing",
        "_running",
        "_unread",
        "caller",
        "refuses",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        machine: graphql.ServerConnection,
        outgoing: Outgoing,
        unread: Unread,
        connection_id: str,
        last_number: int,
    ) -> None:
        self._endpoint = endpoint
        self._machine = machine
        self._outgoing = outgoing
        self._unread = unread
        self._connection_id = connection_id
        self.refuses = False
        self._running: dict[int, _Running] = {}
        self._numbers: dict[graphql.Operation, int] = {}
        self._count = last_number
        self.caller: Caller = ANONYMOUS

    @property
    def deadlines(self) -> list[float]:
        """When operations that are no subscriptions, as far as is known, take too long."""
        return [running.deadline for running in self._running.values() if running.deadline is not None]

    def start(self, subscribe: graphql.Subscribe, now: float, commands: list[Command]) -> None:
        """Start what the client asks for."""
        pipeline, operation = self._endpoint.pipeline, subscribe.operation
        request = GraphQLRequest(
            subscribe.query,
            subscribe.operation_name,
            subscribe.variables or {},
            subscribe.extensions or {},
            (subscribe.text, _IN_MESSAGE),
        )
        try:
            if self.refuses:
                raise RequestError("The server is stopping.", code="SERVER_STOPPING")
            check_depth(request.variables, pipeline.limits.max_input_depth)
            request = with_idempotency_key(request)
        except RequestError as error:
            self._answer(operation, refuse(Outcome.NOT_VALID, [error]), commands)
            return
        self._count = number = self._count + 1
        delivery = Delivery(self._endpoint.subscriptions.max_queued, self._unread)
        self._running[number] = _Running(operation, now, now + pipeline.limits.request_timeout, delivery)
        self._numbers[operation] = number
        commands.append(StartOperation(number, pipeline.operate(request, self.request_id(number), self.caller)))

    def cancel(
        self, operation: graphql.Operation, now: float, commands: list[Command], outcome: str = "CANCELLED"
    ) -> None:
        """The client wants no more of it, or cannot have more."""
        number = self._numbers.pop(operation)
        running = self._running.pop(number)
        running.delivery.forget()
        commands.append(CancelOperation(number))
        self._endpoint.observe(OperationCompleted(self.request_id(number), outcome, now - running.began))

    def cancel_all(self, now: float, commands: list[Command]) -> None:
        """The connection ends."""
        for operation in list(self._numbers):
            self.cancel(operation, now, commands)

    def joined(self, number: int) -> None:
        """It is a subscription, and may last."""
        if number in self._running:
            self._running[number].deadline = None

    def emitted(self, number: int, emission: Emission, is_state: bool, now: float, commands: list[Command]) -> None:
        """A stream brought a result."""
        running = self._running.get(number)
        if running is None:
            return
        if not self._outgoing.paused:
            body = running.delivery.sent(emission)
            self._outgoing.say(self._machine.send_next(running.operation, body), commands)
        elif not running.delivery.keep(emission, is_state):
            self.cancel(running.operation, now, commands, "SLOW_CONSUMER")
            self._answer(running.operation, running.delivery.too_slow(), commands)
        elif running.delivery.must_pause():
            commands.append(PauseOperation(number))

    def ended(self, number: int, response: GraphQLResponse | None, now: float, commands: list[Command]) -> None:
        """An operation is over, with its only or last result, or without one."""
        running = self._running.pop(number, None)
        if running is None:
            return
        del self._numbers[running.operation]
        if response is not None and response.cause is not None:
            self._endpoint.observe(InternalErrorMasked(self.request_id(number), response.cause))
        outcome = "COMPLETED" if response is None else response.outcome.name
        self._endpoint.observe(OperationCompleted(self.request_id(number), outcome, now - running.began))
        self._send_kept(running, commands)
        self._answer(running.operation, response, commands)

    def failed(self, number: int, error: BaseException, now: float, commands: list[Command]) -> None:
        """An operation raised what none should."""
        self.ended(number, self._refusal(number, Outcome.STREAM_FAILED, *_BROKEN, error), now, commands)

    def time_out(self, now: float, commands: list[Command]) -> None:
        """End those that take too long."""
        for number, running in list(self._running.items()):
            if running.deadline is not None and running.deadline <= now:
                commands.append(CancelOperation(number))
                self.ended(number, self._refusal(number, Outcome.TIMED_OUT, *_TIMED_OUT), now, commands)

    def resume(self, commands: list[Command]) -> None:
        """The client reads again: send what was kept for it."""
        for number, running in self._running.items():
            self._send_kept(running, commands)
            if running.delivery.may_resume():
                commands.append(ResumeOperation(number))

    def request_id(self, number: int) -> str:
        """By which the log knows an operation."""
        return f"{self._connection_id}-{number}"

    def _send_kept(self, running: _Running, commands: list[Command]) -> None:
        while (emission := running.delivery.take()) is not None:
            body = running.delivery.sent(emission)
            self._outgoing.say(self._machine.send_next(running.operation, body), commands)

    def _answer(self, operation: graphql.Operation, response: GraphQLResponse | None, commands: list[Command]) -> None:
        """Say the last words of an operation."""
        say, machine = self._outgoing.say, self._machine
        if response is not None and response.outcome in _REFUSED:
            say(machine.send_error(operation, response.errors), commands)
            return
        if response is not None:
            say(machine.send_next(operation, response.body), commands)
        say(machine.send_complete(operation), commands)

    def _refusal(
        self, number: int, outcome: Outcome, message: str, code: str, cause: BaseException | None = None
    ) -> GraphQLResponse:
        hint: dict[str, Any] = {"requestId": self.request_id(number)}
        return refuse(outcome, [RequestError(message, code=code, extensions=hint)], cause)
