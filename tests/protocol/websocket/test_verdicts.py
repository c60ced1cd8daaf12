"""Every verdict on what a peer sends, as a row (state, frames, what comes of it), for both roles.

Each row runs whole, byte by byte, and with a further message behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from fraiseql.limits import WebSocketLimits
from fraiseql.protocol.websocket import NO_STATUS, Bytes, Close, Deflate, Ping, Pong, State, Text
from fraiseql.protocol.websocket.frames import DEFLATE_KINDS, KINDS
from fraiseql.protocol.websocket.state import THEIRS, Input
from protocol.websocket.driving import ROLES, F, connect, deflated, each_byte, read, wire

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
FIRST_TEXT, FIRST_BINARY, MIDDLE, LAST = 0x01, 0x02, 0x00, 0x80
PACKED, FIRST_PACKED, PACKED_BINARY = 0xC1, 0x41, 0xC2

USUAL = WebSocketLimits()
SMALL = WebSocketLimits(max_message=10, max_fragments=3)
MEDIUM = WebSocketLimits(max_message=70_000)
NEW_WINDOW = Deflate()
KEPT_WINDOW = Deflate(
    server_no_context_takeover=False,
    client_no_context_takeover=False,
    server_max_window_bits=15,
    client_max_window_bits=15,
)

OPEN: tuple[F, ...] = ()
IN_TEXT = (F(FIRST_TEXT, b"a"),)
IN_BINARY = (F(FIRST_BINARY, b"a"),)


class Row(NamedTuple):
    name: str
    state: tuple[F, ...]
    frames: tuple[F | bytes, ...]
    found: list[object]  # events, then the close code where it is refused
    limits: WebSocketLimits = USUAL
    deflate: Deflate | None = None
    roles: tuple[str, ...] = ROLES


def close(body: bytes) -> tuple[F]:
    return (F(CLOSE, body),)


LONG = "é" * 40_000
ONE_SURROGATE = b"\xed\xa0\x80"
HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"  # RFC 7692 §7.2.3.1
FINAL_HELLO = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"  # §7.2.3.4
TWO_BLOCKS = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"  # §7.2.3.5
ZEROS = deflated(b"\0" * 100_000)

GOOD_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
BAD_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)

ROWS = [
    # Messages
    Row("text", OPEN, (F(TEXT, b"Hello"),), [Text("Hello")]),
    Row("empty text", OPEN, (F(TEXT),), [Text("")]),
    Row("binary", OPEN, (F(BINARY, b"\xff\0"),), [Bytes(b"\xff\0")]),
    Row("empty binary", OPEN, (F(BINARY),), [Bytes(b"")]),
    Row("two texts", OPEN, (F(TEXT, b"a"), F(TEXT, b"b")), [Text("a"), Text("b")]),
    Row("UTF-8", OPEN, (F(TEXT, "aé€😀\0".encode()),), [Text("aé€😀\0")]),
    *[Row(f"{n} bytes", OPEN, (F(TEXT, b"x" * n),), [Text("x" * n)]) for n in (3, 4, 125, 126, 127, 2048, 2049, 5000)],
    *[Row(f"{n} bytes of text", OPEN, (F(TEXT, b"x" * n),), [Text("x" * n)]) for n in (65_535, 65_536, 70_000)],
    Row("65535 bytes", OPEN, (F(BINARY, b"x" * 65_535),), [Bytes(b"x" * 65_535)]),
    Row("65536 bytes", OPEN, (F(BINARY, b"x" * 65_536),), [Bytes(b"x" * 65_536)]),
    Row("long text", OPEN, (F(TEXT, LONG.encode()),), [Text(LONG)]),
    # Fragments, RFC 6455 §5.4
    Row("two fragments", OPEN, (F(FIRST_TEXT, b"Hel"), F(LAST, b"lo")), [Text("Hello")]),
    Row("three fragments", OPEN, (F(FIRST_BINARY, b"a"), F(MIDDLE, b"b"), F(LAST, b"c")), [Bytes(b"abc")]),
    Row("empty fragments", OPEN, (F(FIRST_TEXT), F(MIDDLE), F(LAST)), [Text("")]),
    Row("a character in fragments", OPEN, (F(FIRST_TEXT, b"\xe2"), F(MIDDLE, b"\x82"), F(LAST, b"\xac")), [Text("€")]),
    Row("a ping between", IN_TEXT, (F(PING, b"p"), F(LAST, b"b")), [Ping(b"p"), Text("ab")]),
    Row("a pong between", IN_BINARY, (F(PONG, b"p"), F(LAST, b"b")), [Pong(b"p"), Bytes(b"ab")]),
    Row("a close between", IN_TEXT, close(b""), [Close(NO_STATUS)]),
    Row("a continuation first", OPEN, (F(LAST, b"a"),), [1002]),
    Row("an open continuation first", OPEN, (F(MIDDLE, b"a"),), [1002]),
    Row("a continuation after the last", IN_TEXT, (F(LAST, b"b"), F(LAST, b"c")), [Text("ab"), 1002]),
    Row("text within text", IN_TEXT, (F(TEXT, b"b"),), [1002]),
    Row("binary within text", IN_TEXT, (F(BINARY, b"b"),), [1002]),
    Row("a first fragment within a message", IN_BINARY, (F(FIRST_BINARY, b"b"),), [1002]),
    # Control frames, RFC 6455 §5.5
    Row("ping", OPEN, (F(PING),), [Ping()]),
    Row("ping of 125 bytes", OPEN, (F(PING, b"\xff" * 125),), [Ping(b"\xff" * 125)]),
    Row("pings", OPEN, (F(PING, b"1"), F(PING, b"2")), [Ping(b"1"), Ping(b"2")]),
    Row("pong that nobody asked for", OPEN, (F(PONG, b"a"),), [Pong(b"a")]),
    Row("ping of 126 bytes", OPEN, (F(PING, b"a" * 126),), [1002]),
    Row("pong in 64 bits", OPEN, (F(PONG, b"a", form=9),), [1002]),
    Row("close of 126 bytes", OPEN, close(b"\x03\xe8" + b"a" * 124), [1002]),
    Row("ping in fragments", OPEN, (F(0x09, b"a"),), [1002]),
    Row("close in fragments", IN_TEXT, (F(0x08),), [1002]),
    # Reserved, RFC 6455 §5.2
    *[Row(f"opcode {code}", OPEN, (F(0x80 | code, b"a"),), [1002]) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    *[Row(f"open opcode {code}", OPEN, (F(code, b"a"),), [1002]) for code in (3, 7, 11, 15)],
    *[Row(f"reserved bits {bits:x}", OPEN, (F(TEXT | bits, b"a"),), [1002]) for bits in range(0x10, 0x80, 0x10)],
    Row("reserved bit in a ping", OPEN, (F(PING | 0x20, b"a"),), [1002]),
    # Masks, RFC 6455 §5.1
    Row("no mask", OPEN, (b"\x81\x01a",), [1002], roles=("server",)),
    Row("a mask", OPEN, (b"\x81\x81\0\0\0\0a",), [1002], roles=("client",)),
    # Lengths, RFC 6455 §5.2
    Row("125 in 16 bits", OPEN, (F(TEXT, b"x" * 125, form=3),), [1002]),
    Row("126 in 64 bits", OPEN, (F(TEXT, b"x" * 126, form=9),), [1002]),
    Row("5 of text in 16 bits", OPEN, (F(TEXT, b"x" * 5, form=3),), [1002]),
    Row("5 of text in 64 bits", OPEN, (F(TEXT, b"x" * 5, form=9), F(TEXT, b"x" * 125)), [1002]),
    Row("65535 in 64 bits", OPEN, (F(BINARY, b"x" * 65_535, form=9),), [1002]),
    Row("2^63", OPEN, (F(BINARY, said=1 << 63),), [1002]),
    # UTF-8, RFC 6455 §8.1
    Row("a surrogate", OPEN, (F(TEXT, ONE_SURROGATE),), [1007]),
    Row("a surrogate in fragments", OPEN, (F(FIRST_TEXT, b"\xed"), F(MIDDLE, b"\xa0")), [1007]),
    Row("an overlong character", OPEN, (F(TEXT, b"\xc0\xaf"),), [1007]),
    Row("beyond Unicode", OPEN, (F(TEXT, b"\xf4\x90\x80\x80"),), [1007]),
    Row("half a character", OPEN, (F(TEXT, b"a\xe2\x82"),), [1007]),
    Row("half a character at the end", OPEN, (F(FIRST_TEXT, b"\xe2"), F(LAST, b"\x82")), [1007]),
    Row("wrong in the first fragment", OPEN, (F(FIRST_TEXT, b"\xff"),), [1007]),
    Row("wrong within a long text", OPEN, (F(TEXT, b"a" * 9000 + b"\xff" + b"a" * 9000),), [1007]),
    # Close, RFC 6455 §5.5.1, §7.4
    Row("close", OPEN, close(b""), [Close(NO_STATUS)]),
    Row("close with a reason", OPEN, close(b"\x03\xe8" + "ü".encode()), [Close(1000, "ü")]),
    Row("the longest reason", OPEN, close(b"\x03\xe8" + b"a" * 123), [Close(1000, "a" * 123)]),
    *[Row(f"close {code}", OPEN, close(code.to_bytes(2, "big")), [Close(code)]) for code in GOOD_CODES],
    *[Row(f"close {code}, bad", OPEN, close(code.to_bytes(2, "big")), [1002]) for code in BAD_CODES],
    Row("close of one byte", OPEN, close(b"\x03"), [1002]),
    Row("a reason that is not UTF-8", OPEN, close(b"\x03\xe8\xff"), [1007]),
    Row("a reason that ends within a character", OPEN, close(b"\x03\xe8\xe2\x82"), [1007]),
    Row("anything after close", OPEN, (*close(b""), F(TEXT, b"a"), b"\xff\xff"), [Close(NO_STATUS)]),
    # Limits
    Row("as long as allowed", OPEN, (F(TEXT, b"a" * 10),), [Text("a" * 10)], SMALL),
    Row("longer", OPEN, (F(TEXT, b"a" * 11),), [1009], SMALL),
    Row("fragments as long as allowed", IN_BINARY, (F(LAST, b"a" * 9),), [Bytes(b"a" * 10)], SMALL),
    Row("longer in fragments", IN_BINARY, (F(LAST, b"a" * 10),), [1009], SMALL),
    Row("longer, at the length", OPEN, (F(TEXT, said=11),), [1009], SMALL),
    Row("much longer, at the length", OPEN, (F(BINARY, said=(1 << 63) - 1),), [1009]),
    Row("as many fragments as allowed", IN_TEXT, (F(MIDDLE), F(LAST)), [Text("a")], SMALL),
    Row("more fragments", IN_TEXT, (F(MIDDLE), F(MIDDLE), F(MIDDLE)), [1009], SMALL),
    Row("controls are no fragments", IN_TEXT, (*[F(PING)] * 9, F(LAST)), [*[Ping()] * 9, Text("a")], SMALL),
    # RFC 7692
    Row("deflated", OPEN, (F(PACKED, HELLO),), [Text("Hello")], deflate=NEW_WINDOW),
    Row(
        "deflated in fragments",
        OPEN,
        (F(FIRST_PACKED, HELLO[:3]), F(LAST, HELLO[3:])),
        [Text("Hello")],
        deflate=NEW_WINDOW,
    ),
    Row(
        "a ping within",
        OPEN,
        (F(FIRST_PACKED, HELLO[:3]), F(PING), F(LAST, HELLO[3:])),
        [Ping(), Text("Hello")],
        deflate=NEW_WINDOW,
    ),
    Row("deflated binary", OPEN, (F(PACKED_BINARY, HELLO),), [Bytes(b"Hello")], deflate=NEW_WINDOW),
    Row("deflated nothing", OPEN, (F(PACKED, b"\x00"),), [Text("")], deflate=NEW_WINDOW),
    Row("stored", OPEN, (F(PACKED, b"\x00\x05\x00\xfa\xffHello\x00"),), [Text("Hello")], deflate=NEW_WINDOW),
    Row("two blocks", OPEN, (F(PACKED, TWO_BLOCKS),), [Text("Hello")], deflate=NEW_WINDOW),
    Row("a final block", OPEN, (F(PACKED, FINAL_HELLO),) * 2, [Text("Hello")] * 2, deflate=NEW_WINDOW),
    Row("not deflated", OPEN, (F(TEXT, b"Hello"),), [Text("Hello")], deflate=NEW_WINDOW),
    Row("one of each", OPEN, (F(TEXT, b"a"), F(PACKED, HELLO)), [Text("a"), Text("Hello")], deflate=NEW_WINDOW),
    Row("a new window", OPEN, (F(PACKED, HELLO),) * 2, [Text("Hello")] * 2, deflate=NEW_WINDOW),
    # RFC 7692 §7.2.3.2: the second message points into the first
    Row(
        "a kept window",
        OPEN,
        (F(PACKED, HELLO), F(PACKED, b"\xf2\x00\x11\x00\x00")),
        [Text("Hello")] * 2,
        deflate=KEPT_WINDOW,
    ),
    Row(
        "a final block, and a kept window",
        OPEN,
        (F(PACKED, FINAL_HELLO), F(PACKED, b"\xf2\x00\x11\x00\x00")),
        [Text("Hello")] * 2,
        deflate=KEPT_WINDOW,
    ),
    Row(
        "a lost window",
        OPEN,
        (F(PACKED, HELLO), F(PACKED, b"\xf2\x00\x11\x00\x00")),
        [Text("Hello"), 1007],
        deflate=NEW_WINDOW,
    ),
    Row(
        "RSV1 in a last fragment",
        OPEN,
        (F(FIRST_PACKED, HELLO[:3]), F(LAST | 0x40, HELLO[3:])),
        [1002],
        deflate=NEW_WINDOW,
    ),
    Row("RSV1 in a ping", OPEN, (F(PING | 0x40),), [1002], deflate=NEW_WINDOW),
    Row("RSV2", OPEN, (F(TEXT | 0x20),), [1002], deflate=NEW_WINDOW),
    Row("not deflate data", OPEN, (F(PACKED, b"\xff" * 9),), [1007], deflate=NEW_WINDOW),
    Row("deflated, not UTF-8", OPEN, (F(PACKED, deflated(b"a\xff")),), [1007], deflate=NEW_WINDOW),
    Row("deflated, half a character", OPEN, (F(PACKED, deflated(b"a\xe2")),), [1007], deflate=NEW_WINDOW),
    Row("as long as allowed, deflated", OPEN, (F(PACKED, deflated(b"a" * 10)),), [Text("a" * 10)], SMALL, NEW_WINDOW),
    Row("longer, deflated", OPEN, (F(PACKED, deflated(b"a" * 11)),), [1009], SMALL, NEW_WINDOW),
    Row("much longer, deflated", OPEN, (F(PACKED_BINARY, ZEROS),), [1009], MEDIUM, NEW_WINDOW),
    Row(
        "longer, deflated in fragments",
        OPEN,
        (F(0x42, deflated(b"a" * 20)), F(LAST, b"\0\0\xff\xff" + deflated(b"a" * 20))),
        [1009],
        WebSocketLimits(max_message=39),
        NEW_WINDOW,
    ),
    Row("wrong before it is too long", OPEN, (F(PACKED, deflated(b"\xff" + b"a" * 20)),), [1007], SMALL, NEW_WINDOW),
    Row("too many final blocks", OPEN, (F(PACKED, b"\x03\x00" * 5),), [1009], SMALL, NEW_WINDOW),
    Row("some final blocks", OPEN, (F(PACKED, b"\x03\x00" * 3),), [Text("")], SMALL, NEW_WINDOW),
]


def fuzz_inputs(role: str) -> Iterator[bytes]:
    """The rows for fuzzing, but the long ones."""
    for row in ROWS:
        raw = wire((*row.state, *row.frames), role)
        if len(raw) <= 100 and not row.name.startswith(("close 1", "close 3", "open opcode", "opcode 1")):
            yield raw


@pytest.fixture(params=[(row, role) for row in ROWS for role in row.roles], ids=lambda p: f"{p[0].name}, {p[1]}")
def case(request):
    row, role = request.param
    raw = wire((*row.state, *row.frames), role)
    return row, role, raw, connect(role, row.limits, row.deflate)


def test_whole(case):
    row, _, raw, conn = case
    assert read(conn, [raw]) == row.found


def test_byte_by_byte(case):
    row, _, raw, conn = case
    assert read(conn, each_byte(raw)) == row.found


def test_with_more_behind_it(case):
    row, role, raw, conn = case
    is_over = row.found and isinstance(row.found[-1], int | Close)
    assert read(conn, [raw + wire([F(PING, b"more")], role)]) == row.found + ([] if is_over else [Ping(b"more")])


def test_in_two_reads_at_every_place(case):
    row, role, raw, _ = case
    for place in range(1, min(len(raw), 40)):
        conn = connect(role, row.limits, row.deflate)
        assert read(conn, [raw[:place], raw[place:]]) == row.found


def test_states(case):
    row, _, raw, conn = case
    read(conn, [raw])
    last = row.found[-1]
    if isinstance(last, int):
        assert (conn.our_state, conn.their_state) == (State.MUST_CLOSE, State.ERROR)
    elif isinstance(last, Close):
        assert (conn.our_state, conn.their_state) == (State.MUST_CLOSE, State.CLOSING)
    else:
        assert (conn.our_state, conn.their_state) == (State.OPEN, State.OPEN)
    assert conn.buffered == 0


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("first", sorted(DEFLATE_KINDS), ids=hex)
@pytest.mark.parametrize(("state", "before"), [(State.OPEN, OPEN), (State.IN_MESSAGE, IN_TEXT)], ids=["open", "within"])
def test_the_table_decides(role, first, state, before):
    conn = connect(role, deflate=NEW_WINDOW)
    read(conn, [wire(before, role)])
    assert conn.their_state is state
    kind = DEFLATE_KINDS[first]
    found = read(conn, [wire([F(first, b"\0" if kind.is_compressed else b"")], role)])
    expected = THEIRS.get((state, kind.input), State.ERROR)
    assert conn.their_state is expected
    assert (found == [1002]) is (expected is State.ERROR)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("first", range(256), ids=hex)
def test_every_first_byte_without_an_extension(role, first):
    found = read(connect(role), [wire([F(first)], role)])
    fine = first in KINDS and KINDS[first].input not in (Input.FRAGMENT, Input.LAST_FRAGMENT)
    assert (found == [1002]) is not fine


# What is wrong is found at its first byte

EARLY = [
    ("a reserved opcode", b"\x83", 1002),
    ("a reserved bit", b"\xa1", 1002),
    ("a continuation first", b"\x80", 1002),
    ("a control frame in fragments", b"\x09", 1002),
    ("no mask", b"\x81\x01", 1002),
    ("a long ping", b"\x89\xfe", 1002),
    ("125 in 16 bits", b"\x81\xfe\x00\x7d", 1002),
    ("2^63", b"\x81\xff\x80", 1002),
    ("longer than allowed", b"\x81\xff\0\0\0\0\0\x10\0\x01", 1009),
    ("UTF-8 within a frame", b"\x81\x85\0\0\0\0a\xff", 1007),
    ("a surrogate within a frame", b"\x81\x85\0\0\0\0\xed\xa0", 1007),
    ("beyond Unicode within a frame", b"\x81\x85\0\0\0\0\xf4\x90", 1007),
    ("UTF-8 within a fragment", b"\x01\x85\0\0\0\0\xf5", 1007),
]


@pytest.mark.parametrize(("raw", "status"), [row[1:] for row in EARLY], ids=[row[0] for row in EARLY])
def test_fails_at_once(raw, status):
    conn = connect("server")
    assert read(conn, each_byte(raw)) == [status]
    conn = connect("server")
    assert read(conn, each_byte(raw[:-1])) == []


def test_inflated_text_fails_within_a_frame():
    raw = wire([F(PACKED, deflated(b"a" * 50 + b"\xff", b"a" * 50))], "server")
    conn = connect("server", deflate=NEW_WINDOW)
    assert read(conn, each_byte(raw[:-5])) == [1007]
