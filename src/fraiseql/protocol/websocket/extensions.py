"""Sec-WebSocket-Extensions (RFC 6455 §9.1), and what is agreed about permessage-deflate (RFC 7692 §5, §7.1)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

from fraiseql.errors import RemoteProtocolError
from fraiseql.protocol.http11.grammar import TOKEN_CHARS
from fraiseql.protocol.websocket.deflate import MAX_BITS, MIN_BITS, Deflate

__all__ = ["Extension", "agree", "check_answer", "offer", "read_extensions"]

DEFLATE: Final = b"permessage-deflate"
_SERVER_FORGETS: Final = b"server_no_context_takeover"
_CLIENT_FORGETS: Final = b"client_no_context_takeover"
_SERVER_BITS: Final = b"server_max_window_bits"
_CLIENT_BITS: Final = b"client_max_window_bits"
_FLAGS: Final = frozenset((_SERVER_FORGETS, _CLIENT_FORGETS))
_WINDOWS: Final = {b"%d" % bits: bits for bits in range(MIN_BITS, MAX_BITS + 1)}  # no leading zeros (RFC 7692 §7.1.2)

_TOKEN: Final = rb"[" + TOKEN_CHARS + rb"]++"
# RFC 6455 §9.1, with the white space of RFC 2616: a quoted value is a token too, once it is unquoted.
_VALUE: Final = rb"(" + _TOKEN + rb'|"(?:\\?[' + TOKEN_CHARS + rb']++)++")'
_NAME: Final = re.compile(rb"[ \t,]*+(" + _TOKEN + rb")[ \t]*+")
_PARAMETER: Final = re.compile(rb";[ \t]*+(" + _TOKEN + rb")[ \t]*+(?:=[ \t]*+" + _VALUE + rb"[ \t]*+)?+")
_END: Final = re.compile(rb"[ \t,]*+\Z")

Parameters: TypeAlias = tuple[tuple[bytes, bytes | None], ...]


class Extension(NamedTuple):
    """One element of the list.

    Attributes:
        name: its name.
        parameters: in their order, with None for a value where there is none.
    """

    name: bytes
    parameters: Parameters


def read_extensions(value: bytes) -> list[Extension]:
    """The elements of the field; raises RemoteProtocolError (400) for what is none."""
    found = []
    at = 0
    while _END.match(value, at) is None:
        name = _NAME.match(value, at)
        if name is None or (at and value[at : at + 1] != b","):
            raise RemoteProtocolError("bad Sec-WebSocket-Extensions")
        at = name.end()
        parameters: list[tuple[bytes, bytes | None]] = []
        while (parameter := _PARAMETER.match(value, at)) is not None:
            at = parameter.end()
            parameters.append((parameter[1], _unquote(parameter[2])))
        found.append(Extension(name[1], tuple(parameters)))
    return found


def _unquote(value: bytes | None) -> bytes | None:
    return value[1:-1].replace(b"\\", b"") if value is not None and value.startswith(b'"') else value


def agree(offers: list[Extension], policy: Deflate) -> tuple[bytes, Deflate] | None:
    """The answer to the first offer that a server can take, and what it means; None where it takes none.

    Args:
        offers: what the client offers, the best first.
        policy: what the server wants.
    """
    for name, parameters in offers:
        wanted = _read_parameters(parameters, may_be_open=True) if name == DEFLATE else None
        if wanted is None:  # RFC 7692 §7.1: this offer is declined, the next may be better
            continue
        agreed = replace(
            policy,
            server_no_context_takeover=policy.server_no_context_takeover or _SERVER_FORGETS in wanted,
            client_no_context_takeover=policy.client_no_context_takeover or _CLIENT_FORGETS in wanted,
            server_max_window_bits=min(policy.server_max_window_bits, wanted.get(_SERVER_BITS, MAX_BITS)),
            # RFC 7692 §7.1.2.2: only who offers to limit its window can be asked to
            client_max_window_bits=min(policy.client_max_window_bits, wanted[_CLIENT_BITS])
            if _CLIENT_BITS in wanted
            else MAX_BITS,
        )
        return _write(agreed, server_bits=_SERVER_BITS in wanted, client_bits=_CLIENT_BITS in wanted), agreed
    return None


def offer(policy: Deflate) -> bytes:
    """What a client offers."""
    return _write(policy, server_bits=policy.server_max_window_bits < MAX_BITS, client_bits=True)


def check_answer(answer: list[Extension], policy: Deflate | None) -> Deflate | None:
    """What a server's answer means for a client.

    Args:
        answer: the extensions in it.
        policy: what was offered; None where nothing was.

    Raises:
        RemoteProtocolError: it holds what was not offered (RFC 6455 §4.1, RFC 7692 §7.1).
    """
    if not answer:
        return None
    if policy is None or len(answer) > 1 or answer[0].name != DEFLATE:
        raise RemoteProtocolError("an extension that was not offered", status=502)
    agreed = _read_parameters(answer[0].parameters, may_be_open=False)
    if agreed is None:
        raise RemoteProtocolError("bad parameters of permessage-deflate", status=502)
    server_bits, client_bits = agreed.get(_SERVER_BITS, MAX_BITS), agreed.get(_CLIENT_BITS, MAX_BITS)
    if _CLIENT_BITS in agreed and client_bits > policy.client_max_window_bits:
        raise RemoteProtocolError("a larger window than was offered", status=502)  # RFC 7692 §7.1.2.2
    return replace(
        policy,
        server_no_context_takeover=_SERVER_FORGETS in agreed,
        client_no_context_takeover=policy.client_no_context_takeover or _CLIENT_FORGETS in agreed,
        server_max_window_bits=server_bits,
        client_max_window_bits=min(policy.client_max_window_bits, client_bits),
    )


def _read_parameters(parameters: Parameters, *, may_be_open: bool) -> dict[bytes, int] | None:
    """By name, each parameter and its number; None where one is unknown, repeated or out of range (RFC 7692 §7.1)."""
    found: dict[bytes, int] = {}
    for name, value in parameters:
        if name in found:
            return None
        if name in _FLAGS and value is None:
            found[name] = 1
        elif name == _CLIENT_BITS and value is None and may_be_open:
            found[name] = MAX_BITS
        elif name in (_SERVER_BITS, _CLIENT_BITS) and value in _WINDOWS:
            found[name] = _WINDOWS[value]
        else:
            return None
    return found


def _write(agreed: Deflate, *, server_bits: bool, client_bits: bool) -> bytes:
    parts = [DEFLATE]
    if agreed.server_no_context_takeover:
        parts.append(_SERVER_FORGETS)
    if agreed.client_no_context_takeover:
        parts.append(_CLIENT_FORGETS)
    if server_bits:
        parts.append(b"%b=%d" % (_SERVER_BITS, agreed.server_max_window_bits))
    if client_bits:
        parts.append(b"%b=%d" % (_CLIENT_BITS, agreed.client_max_window_bits))
    return b"; ".join(parts)
