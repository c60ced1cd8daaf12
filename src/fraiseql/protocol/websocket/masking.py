"""Masks and unmasks payloads (RFC 6455 §5.3): the same operation."""

from __future__ import annotations

from functools import cache
from typing import Final

__all__ = ["REPEATS", "WHOLE", "mask"]

WHOLE: Final = 2_048  # bytes up to which one XOR of two integers is the faster way


class _Repeats(dict[int, int]):
    """Filled as lengths are met: all of them would be half a megabyte."""

    def __missing__(self, words: int) -> int:
        found = self[words] = ((1 << 32 * words) - 1) // 0xFFFF_FFFF
        return found


# REPEATS[n] times a key of 32 bits is n keys in a row.
REPEATS: Final = _Repeats()


def mask(data: bytes, key: bytes) -> bytes:
    """XOR each byte with that of the key at its position modulo 4.

    Args:
        data: of any length.
        key: 4 bytes.
    """
    size = len(data)
    if size > WHOLE:
        return _mask_by_tables(data, key)
    words = (size + 3) >> 2
    masked = int.from_bytes(data, "little") ^ int.from_bytes(key, "little") * REPEATS[words]
    return masked.to_bytes(words << 2, "little")[:size]


def _mask_by_tables(data: bytes, key: bytes) -> bytes:
    """Each fourth byte by the table of its byte of the key."""
    masked = bytearray(data)
    for place, byte in enumerate(key):
        if byte:
            masked[place::4] = data[place::4].translate(_table(byte))
    return bytes(masked)


@cache
def _table(byte: int) -> bytes:
    """All bytes, each XORed with one."""
    return bytes([value ^ byte for value in range(256)])
