"""The verdict for each malformed, ambiguous or unusual request, however its bytes are cut."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import pytest

from fraiseql.protocol import http11

GET = b"GET / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


class Row(NamedTuple):
    """One verdict: the status of the refusal, or the bodies of the requests that are read."""

    name: str
    section: str
    raw: bytes
    verdict: int | list[bytes]


def post(fields: bytes, body: bytes = b"hi") -> bytes:
    return POST + fields + b"\r\n\r\n" + body


def get(fields: bytes) -> bytes:
    return GET + HOST + fields + b"\r\n\r\n"


def chunked(body: bytes) -> bytes:
    return CHUNKED + body


ROWS = [
    # Framing
    Row("CL + TE: chunked", "9112 §6.1, §6.3-3", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked", END), 400),
    Row("TE: chunked + CL", "9112 §6.1", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5", END), 400),
    Row("dup CL same", "9110 §8.6, 9112 §6.3-5", post(b"Content-Length: 2\r\nContent-Length: 2"), 400),
    Row("dup CL different", "9112 §6.3-5", post(b"Content-Length: 2\r\nContent-Length: 3"), 400),
    Row("CL list", "9110 §8.6", post(b"Content-Length: 2, 2"), 400),
    Row("CL +2", "9110 §8.6", post(b"Content-Length: +2"), 400),
    Row("CL -2", "9110 §8.6", post(b"Content-Length: -2"), 400),
    Row("CL 1_0", "9110 §8.6", post(b"Content-Length: 1_0", b"0123456789"), 400),
    Row("CL 0x2", "9110 §8.6", post(b"Content-Length: 0x2"), 400),
    Row("CL empty", "9110 §8.6", post(b"Content-Length: "), 400),
    Row("CL 002", "9110 §8.6", post(b"Content-Length: 002"), [b"hi"]),
    Row("CL 25 digits", "9110 §8.6", post(b"Content-Length: " + b"1" * 25), 413),
    Row("CL over the limit", "9110 §15.5.14", post(b"Content-Length: 1048577"), 413),
    Row("CL 5,000 digits", "9110 §8.6", post(b"Content-Length: " + b"1" * 5_000), 413),
    Row("CL 2;x", "9110 §8.6", post(b"Content-Length: 2;x"), 400),
    Row("CL obs-text digits", "9110 §8.6", post(b"Content-Length: \xb2"), 400),
    Row("CL on HTTP/1.0", "9112 §6.3", b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", [b"hi"]),
    Row("no CL, no TE", "9112 §6.3-7", POST + b"\r\n", [b""]),
    Row("TE: gzip, chunked", "9112 §6.1", post(b"Transfer-Encoding: gzip, chunked", END), 501),
    Row("TE: chunked, gzip", "9112 §6.3-4.3", post(b"Transfer-Encoding: chunked, gzip", END), 400),
    Row("TE: gzip", "9112 §6.3-4.3", post(b"Transfer-Encoding: gzip", END), 400),
    Row("TE: identity", "9112 §6.3-4.3, §7", post(b"Transfer-Encoding: identity", b""), 400),
    Row("TE: identity + CL", "9112 §6.1", post(b"Transfer-Encoding: identity\r\nContent-Length: 2"), 400),
    Row("TE: xchunked", "9112 §6.1", post(b"Transfer-Encoding: xchunked", END), 501),
    Row("TE: chunked, chunked", "9112 §6.1", post(b"Transfer-Encoding: chunked, chunked", END), 400),
    Row("TE: chunked,", "9112 §6.1", post(b"Transfer-Encoding: chunked,", END), 400),
    Row("two TE lines", "9112 §6.1", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", END), 400),
    Row(
        "TE lines chunked/identity",
        "9112 §6.1",
        post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        400,
    ),
    Row("TE: Chunked", "9112 §7", post(b"Transfer-Encoding: Chunked", b"2\r\nhi\r\n" + END), [b"hi"]),
    Row("TE: VT chunked", "9110 §5.5", post(b"Transfer-Encoding: \x0bchunked", END), 400),
    Row("TE: NBSP chunked", "9112 §6.1", post(b"Transfer-Encoding: \xa0chunked", END), 400),
    Row("TE: chunked;q=1", "9112 §7.1", post(b"Transfer-Encoding: chunked;q=1", END), 400),
    Row("TE empty", "9112 §6.1", post(b"Transfer-Encoding:", END), 400),
    Row(
        "TE on HTTP/1.0",
        "9112 §6.1",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
        400,
    ),
    # Chunks
    Row("chunk-ext", "9112 §7.1.1", chunked(b"2;a=b\r\nhi\r\n" + END), [b"hi"]),
    Row("chunk-ext forms", "9112 §7.1.1", chunked(b'2;a;b=c;d="e\\"f;\xe9"\r\nhi\r\n0;z\r\n\r\n'), [b"hi"]),
    Row("chunk-ext quoted, then another", "9112 §7.1.1", chunked(b'2;a="";b\r\nhi\r\n' + END), [b"hi"]),
    Row("chunk-ext without a name", "9112 §7.1.1", chunked(b"2;\r\nhi\r\n" + END), 400),
    Row("chunk-ext without a value", "9112 §7.1.1", chunked(b"2;a=\r\nhi\r\n" + END), 400),
    Row("chunk-ext BWS", "9112 §7.1.1", chunked(b"2 ;a=b\r\nhi\r\n" + END), 400),
    Row("chunk-ext BWS after ;", "9112 §7.1.1", chunked(b"2; a=b\r\nhi\r\n" + END), 400),
    Row("chunk-ext bare LF", "9112 §2.2, §7.1.1", chunked(b"2;a=b\nhi\r\n" + END), 400),
    Row("chunk-ext bare LF in quotes", "9112 §2.2, §7.1.1", chunked(b'2;a="\n"\r\nhi\r\n' + END), 400),
    Row("chunk-ext bare CR in quotes", "9112 §2.2, §7.1.1", chunked(b'2;a="\r"\r\nhi\r\n' + END), 400),
    Row("chunk-ext quoted CR", "9110 §5.6.4", chunked(b'2;a="\\\r"\r\nhi\r\n' + END), 400),
    Row("chunk-ext quoted CR LF", "9110 §5.6.4", chunked(b'2;a="\\\r\n"\r\nhi\r\n' + END), 400),
    Row("chunk-ext bare CR", "9112 §2.2", chunked(b"2;a=\rb\r\nhi\r\n" + END), 400),
    Row("chunk-ext NUL", "9112 §7.1.1", chunked(b"2;a=\0\r\nhi\r\n" + END), 400),
    Row("chunk-ext 64 KB", "9112 §7.1.1", chunked(b"2;a=" + b"b" * 65_536 + b"\r\nhi\r\n" + END), 400),
    Row("chunk-ext in many chunks", "9112 §7.1.1", chunked(b"1;abcdef\r\nx\r\n" * 200 + END), 400),
    Row("chunk size +2", "9112 §7.1", chunked(b"+2\r\nhi\r\n" + END), 400),
    Row("chunk size 0x2", "9112 §7.1", chunked(b"0x2\r\nhi\r\n" + END), 400),
    Row("chunk size 0_2", "9112 §7.1", chunked(b"0_2\r\nhi\r\n" + END), 400),
    Row("chunk size SP 2", "9112 §7.1", chunked(b" 2\r\nhi\r\n" + END), 400),
    Row("chunk size 2 SP", "9112 §7.1", chunked(b"2 \r\nhi\r\n" + END), 400),
    Row("chunk size 2 HTAB", "9112 §7.1", chunked(b"2\t\r\nhi\r\n" + END), 400),
    Row("chunk size -2", "9112 §7.1", chunked(b"-2\r\nhi\r\n" + END), 400),
    Row("chunk size empty", "9112 §7.1", chunked(b"\r\nhi\r\n" + END), 400),
    Row("chunk size 00002", "9112 §7.1", chunked(b"00002\r\nhi\r\n" + END), [b"hi"]),
    Row(
        "chunk size A and a", "9112 §7.1", chunked(b"A\r\n0123456789\r\na\r\n0123456789\r\n" + END), [b"0123456789" * 2]
    ),
    Row("chunk size 16 F", "9112 §7.1", chunked(b"F" * 16 + b"\r\n"), 413),
    Row("chunk size 17 F", "9112 §7.1", chunked(b"F" * 17 + b"\r\n"), 400),
    Row("chunk size 21 zeros, 2", "9112 §7.1", chunked(b"0" * 21 + b"2\r\nhi\r\n" + END), 400),
    Row("chunk sizes over the limit", "9110 §15.5.14", chunked(b"2\r\nhi\r\nFFFFF\r\n"), 413),
    Row("chunk size LF", "9112 §7.1, erratum 7633", chunked(b"2\nhi\r\n" + END), 400),
    Row("chunk size CR CR", "9112 §2.2", chunked(b"2\r\rhi\r\n" + END), 400),
    Row("chunk data LF", "9112 §7.1", chunked(b"2\r\nhi\n" + END), 400),
    Row("chunk data CR", "9112 §7.1", chunked(b"2\r\nhi\r" + END), 400),
    Row("chunk data + garbage", "9112 §7.1", chunked(b"2\r\nhiXX" + END), 400),
    Row("last chunk LF", "9112 §7.1", chunked(b"2\r\nhi\r\n0\n\r\n"), 400),
    Row("trailer", "9112 §7.1.2, 9110 §6.5", chunked(b"2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"), [b"hi"]),
    Row("trailer Content-Length", "9110 §6.5.1", chunked(b"2\r\nhi\r\n0\r\nContent-Length: 2\r\n\r\n"), 400),
    Row("trailer Host", "9110 §6.5.1", chunked(b"2\r\nhi\r\n0\r\nHost: b\r\n\r\n"), 400),
    Row("trailer bad name", "9112 §5", chunked(b"2\r\nhi\r\n0\r\nX Y: 1\r\n\r\n"), 400),
    Row("trailer bare LF", "9112 §2.2", chunked(b"2\r\nhi\r\n0\r\nX: 1\n\r\n"), 400),
    Row("trailer folded", "9112 §5.2", chunked(b"2\r\nhi\r\n0\r\nX: 1\r\n 2\r\n\r\n"), 400),
    Row("trailers too long", "6585 §5", chunked(b"0\r\nX: " + b"x" * 4_096 + b"\r\n\r\n"), 431),
    Row("101 trailers", "6585 §5", chunked(b"0\r\n" + b"X: 1\r\n" * 101 + b"\r\n"), 431),
    # Field lines
    Row("obs-fold", "9112 §5.2", get(b"X: a\r\n b"), 400),
    Row("obs-fold HTAB", "9112 §5.2", get(b"X: a\r\n\tb"), 400),
    Row("ws before first field", "9112 §2.2", GET + b" Host: a\r\n\r\n", 400),
    Row("bare LF field line", "9112 §2.2", GET + b"Host: a\nX: b\r\n\r\n", 400),
    Row("all bare LF", "9112 §2.2", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    Row("bare LF request line", "9112 §2.2", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    Row("head ends LF LF", "9112 §2.2", GET + b"Host: a\n\n", 400),
    Row("head ends CR LF LF", "9112 §2.2", GET + b"Host: a\r\n\n", 400),
    Row("bare CR in value", "9112 §2.2, 9110 §5.5", get(b"X: a\rb"), 400),
    Row("CR CR LF", "9112 §2.2", GET + b"Host: a\r\r\n\r\n", 400),
    Row("space before colon", "9112 §5.1", get(b"X : a"), 400),
    Row("tab before colon", "9112 §5.1", get(b"X\t: a"), 400),
    Row("NUL in value", "9110 §5.5", get(b"X: a\0b"), 400),
    Row("\\x01 in value", "9110 §5.5", get(b"X: a\x01b"), 400),
    Row("\\x0b in value", "9110 §5.5", get(b"X: a\x0bb"), 400),
    Row("DEL in value", "9110 §5.5", get(b"X: a\x7fb"), 400),
    Row("obs-text in value", "9110 §5.5", get(b"X: \xe9\xff"), [b""]),
    Row("( in name", "9110 §5.1, §5.6.2", get(b"X(: a"), 400),
    Row("@ in name", "9110 §5.6.2", get(b"X@: a"), 400),
    Row('" in name', "9110 §5.6.2", get(b'X": a'), 400),
    Row("obs-text in name", "9110 §5.6.2", get(b"X\xe9: a"), 400),
    Row("NUL in name", "9110 §5.6.2", get(b"X\0: a"), 400),
    Row("empty name", "9110 §5.1", get(b": a"), 400),
    Row("no colon", "9112 §5", get(b"Xa"), 400),
    Row("white space around a value", "9112 §5.1", get(b"X:\t a b \t"), [b""]),
    # Request line
    Row("double SP", "9112 §3", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("double SP before the version", "9112 §3", b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("TAB", "9112 §3", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("trailing SP after version", "9112 §3", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    Row("leading SP", "9112 §3", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("http/1.1 lower", "9112 §2.3", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    Row("HTTP/1.2", "9110 §2.5", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", [b""]),
    Row("HTTP/1.10", "9112 §2.3", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    Row("HTTP/3.0", "9110 §15.6.6", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    Row("HTTP/2 preface", "9113 §3.4, 9110 §15.6.6", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Row("HTTP/0.9", "9112 §3", b"GET /\r\n", 400),
    Row("HTTP/0.9 named", "9112 §3", b"GET / HTTP/0.9\r\n\r\n", 400),
    Row("method get", "9110 §9.1", b"get / HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    Row("method FOO", "9110 §9.1", b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    Row("method G(T", "9110 §9.1", b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("method QUERY", "9110 §9.1", b"QUERY / HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    Row("target obs-text", "9112 §3.2", b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("target NUL", "9112 §3.2", b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("target DEL", "9112 §3.2", b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("target fragment", "9112 §3.2.1", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row('target "<>{|}', "3986 §2, 9112 §3.2", b'GET /?"<>{|}\\^` HTTP/1.1\r\nHost: a\r\n\r\n', [b""]),
    Row("target %zz", "3986 §2.1", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("target %4", "3986 §2.1", b"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("target %41", "3986 §2.1", b"GET /%41 HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    Row("target no slash", "9112 §3.2.1", b"GET g HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("absolute-form", "9112 §3.2.2", b"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    Row("absolute-form, upper case, no path", "9112 §3.2.2", b"GET HTTPS://a:1?b HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    Row("absolute-form Host differs", "9112 §3.2.2", b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    Row("absolute-form other scheme", "9112 §3.2.2", b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("absolute-form no host", "9110 §4.2.1", b"GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("absolute-form port only", "9110 §4.2.1", b"GET http://:80/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("absolute-form user", "9110 §4.2.4", b"GET http://u@a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("OPTIONS *", "9112 §3.2.4", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    Row("GET *", "9112 §3.2.4", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("CONNECT a:443", "9112 §3.2.3, 9110 §9.3.6", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    Row("CONNECT /", "9112 §3.2.3", b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("CONNECT no port", "9112 §3.2.3", b"CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("CONNECT no host", "9112 §3.2.3", b"CONNECT :443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("CONNECT user", "9112 §3.2.3", b"CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("authority-form with GET", "9112 §3.2.3", b"GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    # Host
    Row("missing Host", "9112 §3.2", GET + b"\r\n", 400),
    Row("missing Host, absolute-form", "9112 §3.2", b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
    Row("missing Host 1.0", "9112 §3.2", b"GET / HTTP/1.0\r\n\r\n", [b""]),
    Row("duplicate Host", "9112 §3.2", get(b"Host: a"), 400),
    Row("empty Host", "9112 §3.2", GET + b"Host:\r\n\r\n", [b""]),
    Row("Host a/b", "9112 §3.2", GET + b"Host: a/b\r\n\r\n", 400),
    Row("Host a, b", "9112 §3.2", GET + b"Host: a, b\r\n\r\n", 400),
    Row("Host u@a", "9110 §7.2", GET + b"Host: u@a\r\n\r\n", 400),
    Row("Host a:b", "9110 §7.2", GET + b"Host: a:b\r\n\r\n", 400),
    Row("Host with port", "9110 §7.2", GET + b"Host: a.example:8000\r\n\r\n", [b""]),
    Row("Host IPv6", "9110 §7.2", GET + b"Host: [::1]:8000\r\n\r\n", [b""]),
    Row("Host bad IPv6", "9110 §7.2", GET + b"Host: [::g]\r\n\r\n", 400),
    Row("Host IPv6 zone", "9110 §7.2", GET + b"Host: [fe80::1%25eth0]\r\n\r\n", 400),
    Row("Host escape", "9110 §7.2", GET + b"Host: a%20b\r\n\r\n", [b""]),
    Row("Host bad escape", "9110 §7.2", GET + b"Host: a%2\r\n\r\n", 400),
    # The connection
    Row("HTTP/1.0 keep-alive", "9112 §9.3, C.2.2", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2, [b"", b""]),
    Row("keep-alive and a body", "9112 §9.3", post(b"Content-Length: 2\r\nConnection: keep-alive") * 2, [b"hi"] * 2),
    Row("HTTP/1.0", "9112 §9.3", b"GET / HTTP/1.0\r\n\r\n" * 2, [b""]),
    Row("close and keep-alive", "9112 §9.3", get(b"Connection: keep-alive, close") * 2, [b""]),
    Row("close and keep-alive lines", "9112 §9.3", get(b"Connection: Close\r\nConnection: keep-alive") * 2, [b""]),
    Row(
        "pipelined 2", "9112 §9.3.2", post(b"Content-Length: 1", b"1") + post(b"Content-Length: 1", b"2"), [b"1", b"2"]
    ),
    Row("data after close", "9112 §9.6", get(b"Connection: close") + b"\0garbage", [b""]),
    Row("Connection: clo se", "9110 §7.6.1", get(b"Connection: clo se"), 400),
    Row('Connection: "close"', "9110 §7.6.1", get(b'Connection: "close"'), 400),
    Row("Connection: close;x", "9110 §7.6.1", get(b"Connection: close;x"), 400),
    Row("Connection: NBSP close", "9110 §7.6.1", get(b"Connection: \xa0close"), 400),
    Row("Connection: close, a b", "9110 §7.6.1", get(b"Connection: close, a b"), 400),
    Row("Connection with empty elements", "9110 §5.6.1", get(b"Connection: ,a,\t, b,"), [b""]),
    Row("Connection: a/b on HTTP/1.0", "9110 §7.6.1", b"GET / HTTP/1.0\r\nConnection: a/b\r\n\r\n", 400),
    Row("Upgrade: web socket", "9110 §7.8", get(b"Connection: upgrade\r\nUpgrade: web socket"), 400),
    Row("Upgrade: web socket, not in Connection", "9110 §7.8", get(b"Upgrade: web socket"), 400),
    Row("Upgrade: a/", "9110 §7.8", get(b"Connection: upgrade\r\nUpgrade: a/"), 400),
    Row("Upgrade: a/b/c", "9110 §7.8", get(b"Connection: upgrade\r\nUpgrade: x, a/b/c"), 400),
    Row("Upgrade with a version", "9110 §7.8", get(b"Connection: upgrade\r\nUpgrade: a/1.0,, b"), [b""]),
    Row("1 CRLF before", "9112 §2.2", b"\r\n" + get(b"X: a"), [b""]),
    Row("2 CRLF before", "9112 §2.2", b"\r\n\r\n" + get(b"X: a"), [b""]),
    Row("3 CRLF before", "9112 §2.2", b"\r\n\r\n\r\n" + get(b"X: a"), 400),
    Row("CRLF after a body", "9112 §2.2", post(b"Content-Length: 2", b"hi\r\n") + get(b"X: a"), [b"hi", b""]),
    Row("LF before", "9112 §2.2", b"\n" + get(b"X: a"), 400),
    Row("CR before", "9112 §2.2", b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("Expect: 100-continue", "9110 §10.1.1", post(b"Content-Length: 2\r\nExpect: 100-Continue"), [b"hi"]),
    Row(
        "Expect on HTTP/1.0", "9110 §10.1.1", b"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: foo\r\n\r\nhi", [b"hi"]
    ),
    Row("Expect: foo", "9110 §10.1.1, §15.5.18", post(b"Content-Length: 2\r\nExpect: foo"), 417),
    Row("Expect: 100-continue, foo", "9110 §15.5.18", post(b"Content-Length: 2\r\nExpect: 100-continue, foo"), 417),
    Row("Expect empty", "9110 §5.6.1", post(b"Content-Length: 2\r\nExpect:"), [b"hi"]),
    Row(
        "Upgrade websocket + body",
        "9110 §7.8",
        post(b"Content-Length: 2\r\nConnection: upgrade\r\nUpgrade: websocket"),
        [b"hi"],
    ),
    Row("Upgrade h2c + body", "9110 §7.8", post(b"Content-Length: 2\r\nConnection: upgrade\r\nUpgrade: h2c"), [b"hi"]),
    Row("HEAD", "9110 §9.3.2", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    Row("GET with body", "9110 §9.3.1", GET + HOST + b"Content-Length: 2\r\n\r\nhi", [b"hi"]),
    Row("head 20 KB one field", "9112 §5, 6585 §5", get(b"X: " + b"x" * 20_000), 431),
    Row("head 100 KB one field", "6585 §5", get(b"X: " + b"x" * 100_000), 431),
    Row("head 100 KB name", "6585 §5", get(b"x" * 100_000 + b": y"), 431),
    Row("200 fields", "6585 §5", get(b"\r\n".join([b"X: x"] * 200)), 431),
    Row("target 20 KB", "9112 §3, 9110 §15.5.15", b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    Row("method 20 KB", "9112 §3", b"G" * 20_000 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    Row("dup Content-Type", "9110 §5.3", get(b"Content-Type: a/b\r\nContent-Type: a/b"), 400),
    Row("dup Authorization", "9110 §5.3", get(b"Authorization: a\r\nAuthorization: b"), 400),
    Row("dup Origin", "6454 §7.3", get(b"Origin: http://a\r\nOrigin: http://a"), 400),
    Row("dup list field", "9110 §5.3", get(b"Accept: a/b\r\nAccept: c/d"), [b""]),
    Row("TLS hello", "9112 §3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
]
rows = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


def check(row: Row, transcript) -> None:
    if isinstance(row.verdict, int):
        assert transcript[-1][:3] == ("error", row.verdict, True)
    else:
        bodies = []
        for entry in transcript:
            assert entry[0] != "error", entry
            if entry[0] == "request":
                bodies.append(b"")
            elif entry[0] == "body":
                bodies[-1] = entry[1]
        assert bodies == row.verdict
        assert transcript[-1][0] == "end"


@rows
def test_whole(row, read):
    check(row, read([row.raw]))


@rows
def test_byte_by_byte(row, read):
    pieces = [row.raw[index : index + 1] for index in range(len(row.raw))]
    assert read(pieces) == read([row.raw])


@rows
def test_split_once(row, read):
    if len(row.raw) > 1_000:
        points = [1, 100, 8_191, 8_192, 8_193, 8_198, 16_383, 16_384, 16_385, len(row.raw) - 1]
    else:
        points = range(1, len(row.raw))
    whole = read([row.raw])
    for point in points:
        assert read([row.raw[:point], row.raw[point:]]) == whole, point


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.raw) <= 48], ids=lambda row: row.name)
def test_split_twice(row, read):
    whole = read([row.raw])
    for first, second in combinations(range(1, len(row.raw)), 2):
        assert read([row.raw[:first], row.raw[first:second], row.raw[second:]]) == whole, (first, second)


@pytest.mark.parametrize("trailing", [b"\0\r\n\r\n", get(b"X: a"), b"GET / HTTP/1.1\n"], ids=["junk", "request", "bad"])
@rows
def test_trailing_data_changes_nothing(row, trailing, read):
    alone, followed = read([row.raw]), read([row.raw + trailing])
    assert followed[: len(alone)] == alone
    assert read([row.raw, trailing]) == followed
    if isinstance(row.verdict, int):
        assert followed == alone


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row.verdict, int)], ids=lambda row: row.name)
def test_a_refusal_is_answered_once_and_closes(row, reader):
    peer = reader()
    peer.feed(row.raw)
    conn = peer.conn
    assert conn.their_state is http11.State.ERROR
    assert conn.our_state is http11.State.SEND_RESPONSE
    answer = conn.send_response(row.verdict, (), b"")
    assert answer.startswith(b"HTTP/1.1 %d " % row.verdict)
    assert b"\r\nconnection: close\r\n" in answer
    assert conn.our_state is http11.State.MUST_CLOSE
    conn.receive_data(get(b"X: a"))
    assert conn.next_event() is http11.NEED_DATA
    assert conn.buffered == 0
    with pytest.raises(http11.LocalProtocolError):
        conn.send_response(row.verdict, (), b"")


# What must be refused with its last byte, without waiting for another.
FIRST_IMPOSSIBLE = [
    b"\x16",
    b"\n",
    b" ",
    b"\0",
    b"\r\r",
    b"\r\n\n",
    b"\r\n\r\n\r",
    b"G(",
    b"GET\t",
    b"GET\r",
    b"GET  ",
    b"GET #",
    b"GET /\n",
    b"GET /\r",
    b"GET /\x80",
    b"GET /  ",
    b"GET / h",
    b"GET / HTTP/2.0",
    b"GET / HTTP/0.9",
    b"GET / HTTP/1.10",
    b"GET / HTTP/1.1 ",
    b"GET / HTTP/1.1\n",
    b"GET / HTTP/1.1\r\r",
    b"GET * HTTP/1.1\r\n",
    b"GET g HTTP/1.1\r\n",
    GET + b" ",
    GET + b"\n",
    GET + b":",
    GET + b"Host ",
    GET + b"Host\r",
    GET + b"Host: a\n",
    GET + b"Host: a\0",
    GET + b"Host: a\r\r",
    GET + b"Host: a\r\n ",
    GET + b"Host: a\r\n\n",
    GET + b"\r\n",
    GET + b"Host: a\r\n\r\r",
    CHUNKED + b"g",
    CHUNKED + b"\r",
    CHUNKED + b"2\r\nhi\r\n\r",
    CHUNKED + b"2 ",
    CHUNKED + b"2\n",
    CHUNKED + b"0" * 17,
    CHUNKED + b"2;;",
    CHUNKED + b"2;a= ",
    CHUNKED + b'2;a="b\0',
    CHUNKED + b'2;a="\\\0',
    CHUNKED + b'2;a=""b',
    CHUNKED + b"2\r\nhi\n",
    CHUNKED + b"2\r\nhi\r\r",
    CHUNKED + b"FFFFFF\r\n",
    CHUNKED + b"0\r\n ",
    CHUNKED + b"0\r\n\r\r",
]


@pytest.mark.parametrize("raw", FIRST_IMPOSSIBLE, ids=repr)
def test_refused_at_the_first_impossible_byte(raw, read):
    before = read([raw[:-1]])
    assert all(entry[0] != "error" for entry in before)
    for pieces in ([raw], [raw[:-1], raw[-1:]], [raw + b"x" * 1_000]):
        transcript = read(pieces)
        assert transcript[:-1] == before
        assert transcript[-1][0] == "error"
