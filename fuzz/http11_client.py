"""What a server may send to `ClientConnection`: anything.

The first byte of an input says how the client is set up and what it has asked, the second how the rest is cut into
reads. `SEPARATOR` stands between the answers to several requests.
"""

from __future__ import annotations

from typing import Any

from fraiseql.protocol import http11
from fuzz.http11_watch import SMALL, USUAL, Watch, cut, encode_body, encode_fields, require

__all__ = ["EOF", "HEAD", "SEPARATOR", "SMALL_LIMITS", "UNFINISHED", "UPGRADE", "check"]

# Bits of the first byte
SMALL_LIMITS, EOF, HEAD, UPGRADE, UNFINISHED = 1, 2, 4, 8, 16
SEPARATOR = b"\xfe\xfe"

Transcript = list[tuple[Any, ...]]


def check(data: bytes) -> None:
    """The verdict does not depend on the cuts, and what was read reads back."""
    flags, seed, raw = data[0] if data else 0, data[1] if len(data) > 1 else 0, data[2:]
    answers = raw.split(SEPARATOR)
    whole = _ask([[answer] for answer in answers], flags)
    in_pieces = _ask([cut(answer, seed) for answer in answers], flags)
    require(whole == in_pieces, f"the cuts have changed the verdict:\n{whole}\n{in_pieces}")
    for position, entry in enumerate(whole):
        if entry[0] == "response" and position + 1 < len(whole) and whole[position + 1][0] == "end":
            _, body, trailers = whole[position + 1]
            _check_encoding(entry[1], body, trailers, flags)


def _ask(answers: list[list[bytes]], flags: int) -> Transcript:
    """What a connection gives that asks once for each of these answers, each body in one."""
    limits = SMALL if flags & SMALL_LIMITS else USUAL
    conn = http11.ClientConnection(limits)
    watch = Watch(conn, limits)
    transcript: Transcript = []
    try:
        for pieces in answers:
            _send(watch, flags)
            for number, piece in enumerate(pieces, start=1):
                watch.receive(piece)
                _drain(watch, transcript)
                if conn.their_state is http11.State.SWITCHED_PROTOCOL:
                    return [*transcript, ("switched", conn.trailing_data + b"".join(pieces[number:]))]
            if (conn.our_state, conn.their_state) == (http11.State.SEND_BODY, http11.State.DONE):
                watch.send(http11.EndOfMessage())
            if (conn.our_state, conn.their_state) != (http11.State.DONE, http11.State.DONE):
                break
            watch.start_next_cycle()
        if flags & EOF:
            watch.receive_eof()
            _drain(watch, transcript)
    except http11.RemoteProtocolError as error:
        transcript.append(("refused", error.status, str(error)))
    return transcript


def _send(watch: Watch, flags: int) -> None:
    headers: http11.Headers = ((b"host", b"a"),)
    if flags & UPGRADE:
        headers += ((b"connection", b"upgrade"), (b"upgrade", b"x"))
    if flags & UNFINISHED:
        watch.send(http11.Request(b"POST", b"/", (*headers, (b"transfer-encoding", b"chunked"))))
    else:
        watch.send_request(b"HEAD" if _is_head(flags) else b"GET", b"/", headers)


def _is_head(flags: int) -> bool:
    return flags & (HEAD | UNFINISHED) == HEAD


def _drain(watch: Watch, transcript: Transcript) -> None:
    while not isinstance(event := watch.next_event(), http11.Signal):
        if isinstance(event, http11.Response):
            transcript.append(("response", event))
        elif isinstance(event, http11.InformationalResponse):
            transcript.append(("interim", event))
        elif isinstance(event, http11.Data):
            if transcript[-1][0] != "body":
                transcript.append(("body", b""))
            transcript[-1] = ("body", transcript[-1][1] + event.data)
        elif isinstance(event, http11.EndOfMessage):
            body = transcript.pop()[1] if transcript[-1][0] == "body" else b""
            transcript.append(("end", body, event.trailers))
        else:
            transcript.append(("closed",))
            return


def _check_encoding(response: http11.Response, body: bytes, trailers: http11.Headers, flags: int) -> None:
    line = b"HTTP/1.1 %d %b\r\n" % (response.status, response.reason)
    has_body = not _is_head(flags) and response.status not in (204, 304)
    content = encode_body(response, body, trailers) if has_body else b""
    again = _ask([[line + encode_fields(response.headers) + b"\r\n" + content]], flags | EOF)
    require(again[:2] == [("response", response), ("end", body, trailers)], f"{again} for {response}")
