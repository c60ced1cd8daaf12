"""Entity tags and If-None-Match (RFC 9110 §8.8.3, §13.1.2)."""

from __future__ import annotations

import pytest

from fraiseql.session.validators import entity_tag, is_held

JSON, GRAPHQL = b"application/json", b"application/graphql-response+json"
TAG = entity_tag(b"{}", JSON)
STRONG = TAG.removeprefix(b"W/")


def test_a_tag_is_weak_and_of_the_body_and_its_media_type() -> None:
    assert TAG.startswith(b'W/"')
    assert entity_tag(b"{}", JSON) == TAG
    assert len({TAG, entity_tag(b"{} ", JSON), entity_tag(b"{}", GRAPHQL)}) == 3


@pytest.mark.parametrize(
    "field",
    [
        TAG,
        STRONG,  # weak comparison
        b"*",
        b'"other", ' + TAG,
        TAG + b', W/"other"',
        b'W/"a,b" \t,' + TAG,
        b", ," + TAG + b" ,",  # §5.6.1.2
        b'"", "\xe9", ' + TAG,
    ],
)
def test_a_client_holds_what_it_names(field: bytes) -> None:
    assert is_held(TAG, field)


@pytest.mark.parametrize(
    "field",
    [
        b"",
        b'"other"',
        b'W/"other", "another"',
        STRONG.strip(b'"'),  # no quotes
        b"w/" + STRONG,  # case-sensitive
        b"W/ " + STRONG,
        b'"x' + STRONG[1:],
        STRONG[:-1] + b'x"',
        TAG + b" " + TAG,  # malformed lists name nothing
        TAG + b", other",
        b"*, " + TAG,
        b"**",
        b'"a b", ' + TAG,
        TAG + b', "',
        TAG.upper(),
    ],
)
def test_a_client_does_not_hold_what_it_does_not_name(field: bytes) -> None:
    assert not is_held(TAG, field)


def test_a_long_field_takes_no_longer_than_its_length() -> None:
    assert not is_held(TAG, (b'"a" ,' * 100_000) + TAG + b'"')
