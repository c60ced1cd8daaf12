"""Which addresses lie in the blocks that the conditions name."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

import fraiseql
from fraiseql import ID
from fraiseql.pipeline import Pipeline
from golden.asking import Ask, asking, opened

_BLOCKS = {
    "isPrivate": [  # RFC 1918 §3, RFC 4193 §3.1
        *("10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"),
        *("fc00::", "fdff:ffff::1"),
    ],
    "isLoopback": ["127.0.0.0", "127.255.255.255", "::1"],  # RFC 1122 §3.2.1.3, RFC 4291 §2.5.3
    "isLinkLocal": ["169.254.0.0", "169.254.255.255", "fe80::", "febf:ffff::1"],  # RFC 3927 §2.1, RFC 4291 §2.5.6
    "isMulticast": ["224.0.0.0", "239.255.255.255", "ff00::", "ffff::1"],  # RFC 5771 §3, RFC 4291 §2.7
    "isCarrierGrade": ["100.64.0.0", "100.127.255.255"],  # RFC 6598 §7
    "isDocumentation": [  # RFC 5737 §3, RFC 3849 §2
        *("192.0.2.0", "192.0.2.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255"),
        *("2001:db8::", "2001:db8:ffff::1"),
    ],
}
_BESIDE = [  # just outside of each
    *(
        "9.255.255.255",
        "11.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "fbff::",
        "fe00::",
    ),
    *("126.255.255.255", "128.0.0.0", "::", "::2", "169.253.255.255", "169.255.0.0", "fe7f::", "fec0::"),
    *("223.255.255.255", "240.0.0.0", "feff::", "100.63.255.255", "100.128.0.0"),
    *("192.0.1.255", "192.0.3.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0"),
    *("2001:db7:ffff::", "2001:db9::"),
]


@fraiseql.type(sql_source="host", jsonb_column=None)
class Host:
    id: ID
    address: fraiseql.IP


@fraiseql.query
def hosts() -> list[Host]: ...


@pytest.fixture(scope="module")
def ask(module_database_url: str) -> Iterator[Ask]:
    addresses = [*(each for block in _BLOCKS.values() for each in block), *_BESIDE]
    with psycopg.connect(module_database_url) as connection:
        connection.execute("create table host (id int generated always as identity, address inet not null)")
        connection.cursor().executemany("insert into host (address) values (%s::inet)", [(each,) for each in addresses])
    with opened(module_database_url) as connection:
        yield asking(Pipeline(fraiseql.Schema(queries=[hosts])), connection)


@pytest.mark.parametrize("condition", _BLOCKS)
def test_blocks(ask: Ask, condition: str) -> None:
    def found(wanted: str) -> set[str]:
        answer = ask(f"{{ hosts(where: {{address: {{{condition}: {wanted}}}}}) {{ address }} }}").json
        return {host["address"] for host in answer["data"]["hosts"]}

    assert found("true") == set(_BLOCKS[condition])
    assert found("false") == {*_BESIDE, *(each for name in _BLOCKS if name != condition for each in _BLOCKS[name])}
