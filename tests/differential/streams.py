"""Draws streams of requests, most of them legal but for one or two oddities, and where to cut them."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["cut", "points", "streams"]


def mostly(usual: list[bytes], odd: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of `usual`, and now and then one of `odd`."""
    return st.integers(0, 39).flatmap(lambda chance: st.sampled_from(odd if chance == 39 else usual))


METHODS = mostly(
    [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE"],
    [
        b"get",
        b"FOO",
        b"QUERY",
        b"CONNECT",
        b"PRI",
        b"G(T",
        b"",
        b" GET",
        b"\r\nGET",
        b"\r\n\r\nPOST",
        b"\nGET",
        b"\rGET",
    ],
)
TARGETS = mostly(
    [b"/", b"/a/b?c=d", b"/%41", b"http://a/b", b"/?x=http://b/"],
    [
        b"*",
        b"g",
        b"a:1",
        b"ftp://a/",
        b"http://u@a/",
        b"http:///",
        b"/#x",
        b"/%zz",
        b"/\xe9",
        b"/\0",
        b"/\x7f",
        b"",
        b"/ x",
    ],
)
VERSIONS = mostly(
    [b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"],
    [
        b"HTTP/1.2",
        b"HTTP/1.10",
        b"HTTP/2.0",
        b"HTTP/0.9",
        b"HTTP/3.0",
        b"http/1.1",
        b"HTTP/11",
        b"HTP/1.1",
        b"",
        b"HTTP/1.1 ",
    ],
)
SPACE = mostly([b" "], [b"  ", b"\t", b"", b" \t"])
EOL = mostly([b"\r\n"], [b"\n", b"\r", b"\r\r\n", b"", b"\n\r"])
COLON = mostly([b": ", b":", b":\t", b":  "], [b" :", b"", b"\t: ", b"::", b":\r\n "])
NAMES = mostly(
    [b"X", b"Accept", b"accept", b"x-y_z", b"Cookie", b"User-Agent"],
    [b"X Y", b"X(", b"\xe9", b"\0", b"", b" X", b"Content-Length", b"Host", b"Transfer-Encoding", b"Content-Type"],
)
VALUES = mostly(
    [b"", b"a", b"a b", b"a \t", b"\xe9\xff", b'"q, r"', b"text/plain; x=y"],
    [b"a\x01", b"a\0b", b"a\x7f", b"a\x0b", b"a\rb", b"a\nb", b"a\r\n b", b"\x80"],
)
HOST = mostly(
    [b"Host: a", b"host:a.example:80", b"Host: [::1]"],
    [
        b"",
        b"Host:",
        b"Host: a/b",
        b"Host: u@a",
        b"Host: a, b",
        b"Host : a",
        b"Host: a\r\nHost: a",
        b"Host: a b",
        b" Host: a",
    ],
)
CONNECTION = mostly(
    [b"", b"", b"", b"Connection: keep-alive", b"Connection: close"],
    [b"Connection: keep-alive, close", b"Connection: upgrade\r\nUpgrade: x", b"Upgrade: h2c", b"Expect: foo"],
)
LENGTHS = mostly([b""], [b"+", b"-", b"0", b"00", b"0x", b" ", b"1_", b"9" * 25, b"\xb2", b"9999999"])
FRAMINGS = mostly(
    [b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked"],
    [
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, gzip",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding: chunked;q=1",
        b"Transfer-Encoding:",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
    ],
)
SIZES = mostly(
    [b"%x", b"%X", b"0%x"], [b"+%x", b" %x", b"%x ", b"0x%x", b"%x\t", b"-%x", b"0" * 20 + b"%x", b"%xffffffff"]
)
EXTENSIONS = mostly(
    [b"", b"", b";a", b";a=b", b';a="b c"'],
    [b";", b";a=", b" ;a=b", b"; a", b';a="', b';a=""b', b";a=\0", b";a=\n", b";a\rb", b";;"],
)
TRAILERS = mostly(
    [b"", b"", b"X-Sum: 1\r\n", b"X: 1 \r\nY:\r\n"],
    [
        b"Host: b\r\n",
        b"Content-Length: 1\r\n",
        b"X : 1\r\n",
        b"X: 1\n",
        b"X: 1\r\n 2\r\n",
        b"X\r\n",
        b":\r\n",
        b"X: \x01\r\n",
    ],
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """The field that frames a body, and the body."""
    body = draw(st.sampled_from([b"hi", b"0123456789abcdef", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]))
    kind = draw(st.integers(0, 4))
    if kind <= 1:
        return b"", b""
    if kind == 2:
        return b"Content-Length: " + draw(LENGTHS) + b"%d" % len(body), body
    chunks = [body[:3], body[3:]] if draw(st.booleans()) else [body]
    encoded = b"".join(
        (draw(SIZES) % len(piece)) + draw(EXTENSIONS) + draw(EOL) + piece + draw(EOL) for piece in chunks if piece
    )
    return draw(FRAMINGS), encoded + b"0" + draw(EXTENSIONS) + draw(EOL) + draw(TRAILERS) + draw(EOL)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request."""
    framing, body = draw(bodies())
    head = draw(METHODS) + draw(SPACE) + draw(TARGETS) + draw(SPACE) + draw(VERSIONS) + draw(EOL)
    for line in (draw(HOST), draw(CONNECTION), framing):
        head += line + draw(EOL) if line else b""
    for _ in range(draw(st.integers(0, 3))):
        head += draw(NAMES) + draw(COLON) + draw(VALUES) + draw(EOL)
    return head + draw(EOL) + body


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """One to three requests, at times with one byte that is changed, missing or put in."""
    raw = b"".join(draw(st.lists(requests(), min_size=1, max_size=3)))
    if draw(st.integers(0, 3)) < 3:
        return raw
    place = draw(st.integers(0, max(len(raw) - 1, 0)))
    byte = draw(st.sampled_from([b"", b"\0", b"\r", b"\n", b" ", b"\t", b":", b"0", b"a", b"\x80", b"\xff", b"\x0b"]))
    return raw[:place] + byte + raw[place + draw(st.integers(0, 1)) :]


points = st.lists(st.integers(1, 400), max_size=4)


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    """`raw` in pieces, cut at these places."""
    ends = sorted({place for place in places if place < len(raw)} | {len(raw)})
    return [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]
