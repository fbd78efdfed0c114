"""Logs never hold a secret."""

import pytest
from hri.cli.logs import redact


@pytest.mark.parametrize(
    "name", ["passphrase", "ca_passphrase", "password", "API_KEY", "token", "nonce", "private_key"]
)
def test_values_under_names_of_secrets_are_taken_out(name):
    assert redact(None, "info", {"event": "e", name: "value"}) == {"event": "e", name: "[redacted]"}


def test_raw_bytes_are_counted_and_not_shown():
    assert redact(None, "info", {"event": "e", "data": b"abc"}) == {"event": "e", "data": "[3 bytes]"}


def test_everything_else_stays():
    assert redact(None, "info", {"event": "token bus", "slot": 3}) == {"event": "token bus", "slot": 3}
