"""Every difference of our reading of heads from h11 0.16 and httptools 0.9, with its reason.

Where we refuse more, it is because what two parsers of one chain could read in two ways is a way to smuggle a request,
and no client in use sends it.
"""

from __future__ import annotations

from collections.abc import Iterable

from differential.entries import (
    BOTH,
    CHUNKED,
    END,
    GET,
    H11,
    HTTPTOOLS,
    post,
    read_differently,
    they_refuse,
    we_refuse,
    with_line,
)
from differential.parsers import Message

__all__ = ["HEADS"]


def _lower_coding(message: Message) -> Message:
    headers = ((name, value.lower() if name == b"transfer-encoding" else value) for name, value in message.headers)
    return message._replace(headers=tuple(headers))


def _strip_values(message: Message) -> Message:
    def strip(fields: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
        return tuple((name, value.rstrip(b" \t")) for name, value in fields)

    return message._replace(headers=strip(message.headers), trailers=strip(message.trailers))


def _minor_1(message: Message) -> Message:
    return message._replace(version=b"1.1") if message.version > b"1.1" else message


REQUEST_LINES = [
    we_refuse(
        "more than one space",
        "RFC 9112 §3",
        HTTPTOOLS,
        "not byte 0x20",
        rb"  ",
        "httptools skips further spaces. A recipient may, and whitespace there is how targets are smuggled.",
        with_line(b"GET  / HTTP/1.1"),
        with_line(b"GET /  HTTP/1.1"),
    ),
    we_refuse(
        "major versions",
        "RFC 9110 §2.5, §15.6.6",
        BOTH,
        "only HTTP/1.1 and HTTP/1.0 are spoken here|HTTP/0.9 has no such request line",
        rb" HTTP/[02-9]\.[0-9]",
        "h11 reads any digit, httptools 0.9 and 2.0. A version whose framing is another one cannot be read as HTTP/1.",
        with_line(b"GET / HTTP/0.9"),
        with_line(b"GET / HTTP/3.0"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ),
    we_refuse(
        "no version",
        "RFC 9112 §2.3",
        HTTPTOOLS,
        "no HTTP version",
        rb"^[^ ]+ [^ ]+\r?\n|\n[^ ]+ [^ ]+\r?\n",
        "httptools reads a request line of HTTP/0.9, which had no fields and whose answer had no head.",
        b"GET /\r\n\r\n",
    ),
    they_refuse(
        "minor versions",
        "RFC 9110 §2.5",
        HTTPTOOLS,
        "Invalid HTTP version",
        rb" HTTP/1\.[2-9]",
        "httptools refuses them. A later minor version is to be treated as the highest one that is known.",
        with_line(b"GET / HTTP/1.2"),
    ),
    read_differently(
        "name of a minor version",
        "RFC 9110 §2.5",
        H11,
        rb" HTTP/1\.[2-9]",
        _minor_1,
        "h11 gives the version out as sent, we give out how it was read.",
        with_line(b"GET / HTTP/1.2"),
    ),
    they_refuse(
        "methods",
        "RFC 9110 §9.1",
        HTTPTOOLS,
        "Invalid method encountered|Expected space after method|Expected HTTP/2 Connection Preface",
        rb"\S \S+ +HTTP/",
        "httptools has a list of methods and refuses all others. A method is any token; the application answers 405.",
        with_line(b"get / HTTP/1.1"),
        with_line(b"FOO / HTTP/1.1"),
    ),
    we_refuse(
        "fragments",
        "RFC 9112 §3.2",
        BOTH,
        "a fragment",
        rb"#",
        "Both read it as part of the target. No form of a target has one.",
        with_line(b"GET /a#b HTTP/1.1"),
    ),
    we_refuse(
        "percent-encoding",
        "RFC 3986 §2.1",
        BOTH,
        "bad percent-encoding in the target",
        rb"%(?![0-9a-f]{2})",
        "Both leave it to the application. Decoders differ in what they make of it.",
        with_line(b"GET /%zz HTTP/1.1"),
    ),
    we_refuse(
        "forms of the target",
        "RFC 9112 §3.2",
        BOTH,
        "the target is neither a path nor an http or https URI|the target \\* goes with OPTIONS only",
        rb" (?!/)\S+ +HTTP/",
        "h11 takes any visible bytes, httptools any scheme and host, and * for every method.",
        with_line(b"GET * HTTP/1.1"),
        with_line(b"GET g HTTP/1.1"),
        with_line(b"GET ftp://a/ HTTP/1.1"),
        with_line(b"GET http://u@a/ HTTP/1.1"),
    ),
    we_refuse(
        "CONNECT",
        "RFC 9110 §9.3.6",
        BOTH,
        "CONNECT is not supported|the target of CONNECT is not a host and a port",
        rb"CONNECT ",
        "Both read it for those who build tunnels, h11 with any target.",
        with_line(b"CONNECT a:443 HTTP/1.1"),
        with_line(b"CONNECT a HTTP/1.1"),
    ),
]

HOSTS = [
    we_refuse(
        "number of Host fields",
        "RFC 9112 §3.2",
        HTTPTOOLS,
        "no Host|more than one host",
        rb"",
        "httptools does not count them. A server must refuse HTTP/1.1 without Host, and all requests with several.",
        GET[:16] + b"\r\n",
        GET + b"Host: a\r\n\r\n",
    ),
    we_refuse(
        "Host in later minor versions",
        "RFC 9110 §2.5, RFC 9112 §3.2",
        H11,
        "no Host",
        rb" HTTP/1\.[2-9]",
        "h11 asks for it in 1.1 only. A later minor version is to be treated as the highest one that is known.",
        b"GET / HTTP/1.2\r\n\r\n",
    ),
    we_refuse(
        "value of Host",
        "RFC 9112 §3.2, RFC 9110 §7.2",
        BOTH,
        "bad Host",
        rb"\nHost:",
        "Both take any value. A server must refuse what is no host and port.",
        GET[:16] + b"Host: a/b\r\n\r\n",
        GET[:16] + b"Host: u@a\r\n\r\n",
        GET[:16] + b"Host: a, b\r\n\r\n",
    ),
]

FIELDS = [
    we_refuse(
        "bare LF",
        "RFC 9112 §2.2",
        H11,
        r"not byte 0x0a",
        rb"(?<!\r)\n",
        "h11 takes LF for CR LF anywhere in a head and in trailers. A recipient may; parsers that do differ in where.",
        b"GET / HTTP/1.1\nHost: a\n\n",
        CHUNKED + b"0\r\nX: 1\n\r\n",
    ),
    we_refuse(
        "folded lines",
        "RFC 9112 §5.2",
        H11,
        "folded field line",
        rb"\n[ \t]",
        "h11 joins them. A server must refuse them or replace them with spaces.",
        GET + b"X: a\r\n b\r\n\r\n",
        CHUNKED + b"0\r\nX: 1\r\n\t2\r\n\r\n",
    ),
    we_refuse(
        "control characters in values",
        "RFC 9110 §5.5",
        H11,
        "expected a field value and CR LF, not byte 0x",
        rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]",
        "h11 refuses CR, LF and NUL only. Others are invalid, too, and at best retained where that is safe.",
        GET + b"X: a\x01b\r\n\r\n",
    ),
    we_refuse(
        "repeated fields of one value",
        "RFC 9110 §5.3",
        BOTH,
        "more than one (?!content-length|host)",
        rb"\n([a-z-]+):.*\n\1:",
        "Both give both values out and leave it to the application which one counts.",
        GET + b"Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
    ),
    read_differently(
        "white space after a value",
        "RFC 9112 §5.1",
        HTTPTOOLS,
        rb"[ \t]\r\n",
        _strip_values,
        "httptools leaves it in the value. It is no part of it.",
        GET + b"X: a \t\r\n\r\n",
    ),
    read_differently(
        "case of a coding",
        "RFC 9112 §7",
        H11,
        rb"transfer-encoding:[\t ]*(?-i:(?!chunked))chunked",
        _lower_coding,
        "h11 gives Transfer-Encoding out in lower case. We give out what was sent.",
        post(b"Transfer-Encoding: Chunked", END),
    ),
]

HEADS = [*REQUEST_LINES, *HOSTS, *FIELDS]
