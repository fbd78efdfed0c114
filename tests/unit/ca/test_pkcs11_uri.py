"""Names of keys in tokens are read as RFC 7512 writes them, and never hold a PIN."""

from __future__ import annotations

import pytest
from hri.ca.pkcs11_uri import KeyUri
from hri.errors import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

_WORDS = st.text(min_size=1, max_size=40)


@given(_WORDS, _WORDS, st.binary(min_size=1, max_size=20), st.text(max_size=20))
def test_what_is_written_is_read_back(module: str, token: str, key_id: bytes, label: str) -> None:
    uri = KeyUri(module, token, key_id, label)

    assert KeyUri.parse(str(uri)) == uri
    assert str(uri).isascii()
    assert str(uri).isprintable()


def test_the_example_of_the_rfc_is_read() -> None:
    text = (
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;"
        "object=my-certificate;type=cert;id=%69%95%3E?module-path=/usr/lib/libp11.so"
    )

    assert KeyUri.parse(text) == KeyUri(
        "/usr/lib/libp11.so", "The Software PKCS#11 Softtoken", b"i\x95>", "my-certificate"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://x",
        "pkcs11:",
        "pkcs11:token=t;id=%01",
        "pkcs11:token=t;id=?module-path=/m",
        "pkcs11:token=t;token=u;id=%01?module-path=/m",
        "pkcs11:token=t;id?module-path=/m",
        "pkcs11:token=t;id=%01?module-path=/m&pin-value=1234",
        "pkcs11:token=t;id=%01?module-path=/m&pin-source=file:/pin",
    ],
)
def test_what_is_no_name_of_a_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        KeyUri.parse(text)

    assert refused.value.code == "bad-pkcs11-uri"
    assert "1234" not in refused.value.message
