"""A GraphQL request as it leaves its transport, and how one is read from JSON or from a URL's parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from fraiseql.errors import RequestError
from fraiseql.schema.numbers import marked, read_json

__all__ = ["GraphQLRequest", "check_depth", "decode_json", "decode_query_string", "with_idempotency_key"]

_PARAMETERS: Final = frozenset({"query", "operationName", "variables", "extensions"})
_IN_BODY: Final = ("variables",)
_KEY: Final = re.compile(r"[!-~]{1,255}")


@dataclass(slots=True)  # not frozen: made for each request, in a third of the time
class GraphQLRequest:
    """One request: GraphQL over HTTP §4.1.

    Attributes:
        written: the JSON text that the variables were read from, and the keys that lead to them in it, where it is at
            hand: floats may have lost digits.
        read_only: whether nothing may be written: the transport's method is safe (RFC 9110 §9.2.1).
        idempotency_key: by which a mutation that is sent again is known.
    """

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)
    written: tuple[bytes | str, tuple[str, ...]] | None = field(default=None, compare=False, repr=False)
    read_only: bool = field(default=False, compare=False)
    idempotency_key: str | None = None

    def exact_variables(self) -> Mapping[str, Any]:
        """The variables with JSONFloats for floats, which have all digits where the text is at hand."""
        if self.written is None:
            return dict(marked(self.variables))
        text, keys = self.written
        found: Any = read_json(text)
        for key in keys:
            found = found.get(key) or {}
        return dict(found)


def _bad_request(message: str) -> RequestError:
    return RequestError(message, code="BAD_REQUEST")


def decode_json(body: bytes, max_depth: int) -> GraphQLRequest:
    """Read a request from a JSON body.

    Args:
        body: JSON in UTF-8.
        max_depth: how deep objects and lists may nest in `variables`.

    Raises:
        RequestError: code BAD_REQUEST: no JSON, or no well-formed request.
    """
    given = _load(body, "The request body", max_depth + 1)  # the body is an object around them
    return _request(given, (body, _IN_BODY))


def decode_query_string(query_string: bytes, max_depth: int) -> GraphQLRequest:
    """Read a request from the query of a URL; `variables` and `extensions` are JSON texts, an empty one is absent.

    Raises:
        RequestError: code BAD_REQUEST: a parameter twice, not UTF-8, or no well-formed request.
    """
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise _bad_request("The URL's parameters are not URL-encoded UTF-8.") from None
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name in given and name in _PARAMETERS:
            raise _bad_request(f"The parameter {name!r} was given twice.")
        given[name] = value
    written = given.get("variables", "")
    for name in ("variables", "extensions"):
        if name in given:
            text = given[name]
            given[name] = _load(text.encode(), f"The parameter {name!r}", max_depth) if text else None
    given["operationName"] = given.get("operationName") or None
    return _request(given, (written, ()), read_only=True)


def with_idempotency_key(request: GraphQLRequest, header: str | None = None) -> GraphQLRequest:
    """The request with the key that it has, or its header: 1 to 255 visible ASCII characters.

    Args:
        header: the `Idempotency-Key`; the key of the request itself is `idempotencyKey` of its `extensions`.

    Raises:
        RequestError: code BAD_REQUEST: a key that is none, or two that differ.
    """
    extension = request.extensions.get("idempotencyKey")
    given = [key for key in (header, extension) if key is not None]
    if not given:
        return request
    if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in given):
        raise _bad_request("An idempotency key is a text of 1 to 255 visible ASCII characters.")
    if given[0] != given[-1]:
        raise _bad_request("The header Idempotency-Key and the extension idempotencyKey differ.")
    return replace(request, idempotency_key=given[0])


def check_depth(variables: Any, max_depth: int) -> None:
    """Raise RequestError, code BAD_REQUEST, where variables that are decoded already nest too deep."""
    if _nests_deeper(variables, max_depth):
        raise _bad_request(f"The variables nest deeper than {max_depth} levels.")


def _load(text: bytes, what: str, max_depth: int) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad_request(f"{what} is not valid JSON.") from None
    # Only a text with that many openings can nest that deep: the walk is for the suspicious ones.
    if text.count(b"{") + text.count(b"[") > max_depth and _nests_deeper(value, max_depth):
        raise _bad_request(f"{what} nests deeper than {max_depth} levels.")
    return value


def _nests_deeper(value: Any, max_depth: int) -> bool:
    level = [value]
    for _ in range(max_depth):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return False
        level = below
    return any(isinstance(item, (dict, list)) for item in level)


def _request(given: Any, written: tuple[bytes | str, tuple[str, ...]], *, read_only: bool = False) -> GraphQLRequest:
    if not isinstance(given, dict):
        raise _bad_request("A GraphQL request is a JSON object.")
    query = given.get("query")
    if not isinstance(query, str):
        raise _bad_request("The parameter 'query' must be a string with a GraphQL document.")
    operation_name = given.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise _bad_request("The parameter 'operationName' must be a string or null.")
    for name in ("variables", "extensions"):
        if given.get(name) is not None and not isinstance(given[name], dict):
            raise _bad_request(f"The parameter {name!r} must be an object or null.")
    variables, extensions = given.get("variables") or {}, given.get("extensions") or {}
    return GraphQLRequest(query, operation_name, variables, extensions, written, read_only)
