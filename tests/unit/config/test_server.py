"""The section `server`: what makes no sense is refused before anybody is let in by it."""

import pytest
from hri.config import load
from hri.errors import ConfigurationError

_DIGEST = "ab" * 32


def server_section(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text("identity:\n  server:\n" + "".join(f"    {line}\n" for line in text.splitlines()))
    return load(path, {}).server


def test_the_defaults_serve_this_machine_alone_and_let_nobody_in():
    config = load(None, {}).server

    assert (config.listen, config.tls, config.tokens, config.clients) == ("127.0.0.1:8443", None, [], [])


def test_a_token_line_as_it_is_printed_is_read(tmp_path):
    config = server_section(tmp_path, f"tokens:\n  - {{name: line-1, role: auditor, sha256: {_DIGEST}}}")

    assert [(token.name, token.role) for token in config.tokens] == [("line-1", "auditor")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"tokens:\n  - {{name: a, role: root, sha256: {_DIGEST}}}", "role"),
        (f"tokens:\n  - {{name: a, role: device, sha256: {_DIGEST}}}", "role"),
        ("tokens:\n  - {name: a, role: admin, sha256: abc}", "64 lower-case hex digits"),
        (f"tokens:\n  - {{name: a, role: admin, sha256: {_DIGEST.upper()}}}", "64 lower-case hex digits"),
        (
            f"tokens:\n  - {{name: a, role: admin, sha256: {_DIGEST}}}\n"
            f"  - {{name: b, role: auditor, sha256: {_DIGEST}}}",
            "one token stands under two names",
        ),
        ("clients:\n  - {name: a, role: admin}", "either subject or spki_sha256"),
        ("clients:\n  - {name: a, role: admin, subject: CN=a}", "need tls.client_ca"),
        (f"clients:\n  - {{name: a, role: admin, subject: '=', spki_sha256: {_DIGEST}}}", "RFC 4514"),
        ("limits: {burst: 0}", "burst"),
        ("tls: {certificate: a.pem}", "key"),
        ("tls: {certificate: a.pem, key: b.pem, minimum: '1.1'}", "minimum"),
        ("password: x", "is not a key that exists"),
    ],
)
def test_what_makes_no_sense_is_refused_without_its_value(tmp_path, text, words):
    with pytest.raises(ConfigurationError) as refused:
        server_section(tmp_path, text)

    assert words in refused.value.message
    assert _DIGEST not in refused.value.message
