"""What the tables of disagreements are made of.

An entry is as narrow as it can be: it needs the words of the refusal and the bytes that cause it, so that it cannot
hide another difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from differential.comparison import Disagreement, Kind
from differential.parsers import Message

__all__ = [
    "BOTH",
    "CHUNKED",
    "END",
    "GET",
    "H11",
    "HTTPTOOLS",
    "post",
    "read_differently",
    "they_refuse",
    "we_refuse",
    "with_line",
]

H11: Final = ("h11",)
HTTPTOOLS: Final = ("httptools",)
BOTH: Final = ("h11", "httptools")

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def post(fields: bytes, body: bytes = b"hi") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n" + body


def with_line(line: bytes) -> bytes:
    return line + b"\r\nHost: a\r\n\r\n"


def we_refuse(
    name: str, section: str, peers: tuple[str, ...], words: str, shows: bytes, why: str, *examples: bytes
) -> Disagreement:
    return Disagreement(name, section, peers, Kind.WE_REFUSE, words, shows, why, examples)


def they_refuse(
    name: str, section: str, peers: tuple[str, ...], words: str, shows: bytes, why: str, *examples: bytes
) -> Disagreement:
    return Disagreement(name, section, peers, Kind.THEY_REFUSE, words, shows, why, examples)


def read_differently(
    name: str,
    section: str,
    peers: tuple[str, ...],
    shows: bytes,
    mend: Callable[[Message], Message],
    why: str,
    *examples: bytes,
) -> Disagreement:
    return Disagreement(name, section, peers, Kind.READ_DIFFERENTLY, "", shows, why, examples, mend)
