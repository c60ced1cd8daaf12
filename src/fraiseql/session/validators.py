"""Entity tags, and what a client holds already (RFC 9110 §8.8.3, §13.1.2)."""

from __future__ import annotations

import re
from binascii import hexlify
from typing import Final

__all__ = ["entity_tag", "is_held"]

# `#entity-tag`, with the empty elements that a recipient has to put up with (RFC 9110 §5.6.1.2, §8.8.3)
_TAG: Final = rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS: Final = re.compile(rb"[ \t,]*+" + _TAG + rb"(?:[ \t]*+,[ \t,]*+" + _TAG + rb")*+[ \t,]*+")


def entity_tag(body: bytes, content_type: bytes) -> bytes:
    """The tag of a body: equal for equal bytes of one Content-Type.

    A weak one, which stands for all codings of the body. Each of them would need a strong one of its own (RFC 9110
    §8.8.3.3), made after the body was coded, where 304 now comes without coding anything; and what strong tags alone
    are good for, ranges and If-Match, is not served.
    """
    from hashlib import blake2b  # OpenSSL comes with it, half a megabyte: not before it is needed

    digest = blake2b(content_type, digest_size=16, usedforsecurity=False)
    digest.update(body)
    return b'W/"%b"' % hexlify(digest.digest())


def is_held(tag: bytes, if_none_match: bytes) -> bool:
    """Whether the client holds what has this tag, by weak comparison (RFC 9110 §8.8.3.2).

    Args:
        tag: from `entity_tag`.
        if_none_match: the value of the field; one that is malformed names nothing.
    """
    if if_none_match == b"*":  # there is such an answer
        return True
    # No opaque tag has a quote in it, so that ours is found as a whole or not at all.
    return tag.removeprefix(b"W/") in if_none_match and _TAGS.fullmatch(if_none_match) is not None
