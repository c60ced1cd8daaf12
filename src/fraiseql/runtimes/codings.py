"""The content codings that are installed, and the settings that name them."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from fraiseql.errors import ConfigurationError
from fraiseql.session.coding import Coding, Compression

__all__ = ["compression_of", "installed_codings"]

# For the figures of these and of the next steps see docs/reference/http.md.
_GZIP_LEVEL: Final = 4
_BROTLI_QUALITY: Final = 4
_ZSTD_LEVEL: Final = 3


def compression_of(setting: str, min_size: int) -> Compression:
    """Read the settings `compression` and `compression_min_size`.

    Args:
        setting: `auto` for all codings that are installed, `off` for none, or their names with commas between.
        min_size: bytes of a body from which on it is coded.

    Raises:
        ConfigurationError: it names a coding that is not known, not installed, or named twice.
    """
    found = installed_codings()
    if setting == "auto":
        return Compression(tuple(found.values()), min_size)
    names = [] if setting == "off" else [name.strip() for name in setting.split(",")]
    for name in names:
        if name not in _MAKERS:
            known = ", ".join(_MAKERS)
            raise ConfigurationError(f"compression names {name!r}; expected auto, off, or some of {known}")
        if name not in found:
            raise ConfigurationError(
                f"compression names {name}, which is not installed; pip install 'fraiseql[compression]' brings it"
            )
        if names.count(name) > 1:
            raise ConfigurationError(f"compression names {name} twice")
    return Compression([found[name] for name in names], min_size)


def installed_codings() -> dict[str, Coding]:
    """The codings that are installed by name, the one first that does most for its time."""
    made = ((name, make()) for name, make in _MAKERS.items())
    return {name: Coding(name.encode(), encode) for name, encode in made if encode is not None}


def _zstd() -> Callable[[bytes], bytes] | None:
    standard = _imported("compression.zstd")  # since Python 3.14
    if standard is not None:
        return lambda body: bytes(standard.compress(body, _ZSTD_LEVEL))
    module = _imported("zstandard")
    return None if module is None else _Zstandard(module)


class _Zstandard:
    """A compressor for each thread: one is not for several, and to make one takes longer than to use it."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._of_thread = threading.local()

    def __call__(self, body: bytes) -> bytes:
        compressor = getattr(self._of_thread, "compressor", None)
        if compressor is None:
            compressor = self._of_thread.compressor = self._module.ZstdCompressor(level=_ZSTD_LEVEL)
        return bytes(compressor.compress(body))


def _brotli() -> Callable[[bytes], bytes] | None:
    module = _imported("brotli") or _imported("brotlicffi")
    return None if module is None else lambda body: bytes(module.compress(body, quality=_BROTLI_QUALITY))


def _gzip() -> Callable[[bytes], bytes]:
    return lambda body: zlib.compress(body, _GZIP_LEVEL, wbits=31)  # 31: in gzip's format, without a time


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


_MAKERS: Final[dict[str, Callable[[], Callable[[bytes], bytes] | None]]] = {
    "zstd": _zstd,
    "br": _brotli,
    "gzip": _gzip,
}
