"""From the text of one WebSocket message to a message whose fields have their types.

Unknown keys are tolerated beside the known ones, and the last of equal keys counts, as in the reference implementation
(npm graphql-ws 6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import orjson

from fraiseql.errors import RemoteProtocolError
from fraiseql.protocol.graphql_transport_ws.state import CloseCode, Input, close_reason

__all__ = ["FROM_CLIENT", "FROM_SERVER", "MAX_DEPTH", "Message", "Types", "bad_message", "read_message"]

Message: TypeAlias = dict[str, Any]
Types: TypeAlias = Mapping[str, tuple[Input, Callable[[Message], None]]]

MAX_DEPTH: Final = 200  # levels of objects and lists: orjson reads 1,024, but writes 254, and a pong echoes its ping


def bad_message(text: str) -> RemoteProtocolError:
    """What is no message of the peer: close code 4400."""
    return RemoteProtocolError(close_reason(text), status=CloseCode.BAD_REQUEST)


def read_message(text: str, types: Types) -> tuple[Input, Message]:
    """Read one message of the types that the peer may send.

    Raises:
        RemoteProtocolError: close code 4400: no JSON, no object, an unknown type, or a field of a wrong type.
    """
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:  # also NaN, numbers beyond a double, lone surrogates, more than 1,024 levels
        raise bad_message("The message is not valid JSON") from None
    if not isinstance(message, dict):
        raise bad_message("The message is not an object")
    kind = message.get("type")
    known = types.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise bad_message(f"Invalid message type {kind!r}" if isinstance(kind, str) else "The message has no type")
    # Only a text with that many openings can nest that deep: the walk is for the suspicious ones.
    if text.count("{") + text.count("[") > MAX_DEPTH and _nests_deeper(message):
        raise bad_message(f"The message nests deeper than {MAX_DEPTH} levels")
    what, check = known
    check(message)
    return what, message


def _nests_deeper(message: Message) -> bool:
    level: list[Any] = [message]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = below
    return any(isinstance(item, (dict, list)) for item in level)


def _check_payload(message: Message) -> None:
    """connection_init, connection_ack, ping, pong: an object, null or absent."""
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise bad_message(f"The payload of {message['type']!r} must be an object or null")


def _check_id(message: Message) -> None:
    """subscribe, next, error, complete: a string that is not empty."""
    id_ = message.get("id")
    if not isinstance(id_, str) or not id_:
        raise bad_message(f"The id of {message['type']!r} must be a string that is not empty")


def _check_subscribe(message: Message) -> None:
    _check_id(message)
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise bad_message("The payload of 'subscribe' must be an object")
    if not isinstance(payload.get("query"), str):
        raise bad_message("The query of 'subscribe' must be a string")
    name = payload.get("operationName")
    if name is not None and not isinstance(name, str):
        raise bad_message("The operationName of 'subscribe' must be a string or null")
    for key in ("variables", "extensions"):
        value = payload.get(key)
        if value is not None and not isinstance(value, dict):
            raise bad_message(f"The {key} of 'subscribe' must be an object or null")


def _check_next(message: Message) -> None:
    _check_id(message)
    if not isinstance(message.get("payload"), dict):
        raise bad_message("The payload of 'next' must be an object")


def _check_error(message: Message) -> None:
    _check_id(message)
    errors = message.get("payload")
    well_formed = isinstance(errors, list) and all(
        isinstance(error, dict) and isinstance(error.get("message"), str) for error in errors
    )
    if not well_formed or not errors:
        raise bad_message("The payload of 'error' must be a list of errors that is not empty")


_BOTH: Final[Types] = {
    "ping": (Input.PING, _check_payload),
    "pong": (Input.PONG, _check_payload),
    "complete": (Input.COMPLETE, _check_id),
}
FROM_CLIENT: Final[Types] = {
    **_BOTH,
    "connection_init": (Input.CONNECTION_INIT, _check_payload),
    "subscribe": (Input.SUBSCRIBE, _check_subscribe),
}
"""What a client sends."""
FROM_SERVER: Final[Types] = {
    **_BOTH,
    "connection_ack": (Input.CONNECTION_ACK, _check_payload),
    "next": (Input.NEXT, _check_next),
    "error": (Input.ERROR, _check_error),
}
"""What a server sends."""
