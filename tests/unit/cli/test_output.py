"""What a device says reaches the screen as text: it commands no terminal and is no markup."""

import re

import pytest
from hri.cli.output import Output
from hri.errors import HriError
from hri.verify.decision import Decision, Reason, ReasonCode

HOSTILE = [
    "\x1b]0;owned\x07 \x1b[2J",
    "x\\[/red] [link=http://example.org]y[/link]",
    "\\[bold]\\\\[/bold]\\",
    "\u202egnp.exe \u2066 \x9b31m \x7f \r gone",
]


@pytest.fixture(params=[False, True], ids=["pipe", "terminal"])
def output(request):
    made = Output(as_json=False)
    for console in (made.out, made.err):
        console._force_terminal = request.param
        console.width = 300
    return made


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_device_commands_nothing(output, capsys, text):
    output.error(HriError("code", text, text))
    output.warning(text)
    output.note(text)
    output.result({}, text)
    output.decision(Decision(False, "d", (Reason(ReasonCode.REVOKED, text),)), text)
    output.table(("a",), [(text,)])

    said = "".join(capsys.readouterr())
    # What hri says itself in colour is SGR, and nothing else.
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert not set(plain) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}
    assert not set(plain) & set("\u202e\u2066")
    assert "owned" in plain or text != HOSTILE[0]
    for kept in ("[/red]", "[link=http://example.org]", "[bold]"):
        assert plain.count(kept) == 8 * text.count(kept)
