"""Signed notes and checkpoints are read as C2SP writes them, and nothing else is."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hri.checkpoint import Checkpoint
from hri.signed_note import NoteError, NoteSigner, NoteVerifier

# The example of the first implementation, golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SAYING = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
SIGNATURE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
)
# The example of C2SP tlog-checkpoint, whose key nobody here has.
OTHER = (
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
SIGNER = NoteSigner("example.test/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def test_a_note_of_another_implementation_opens() -> None:
    verifier = NoteVerifier.from_text(PETER)

    assert verifier.to_text() == PETER
    assert verifier.open(f"{SAYING}\n{SIGNATURE}") == SAYING


def test_signatures_of_other_keys_are_passed_over() -> None:
    assert NoteVerifier.from_text(PETER).open(f"{SAYING}\n{OTHER}{SIGNATURE}{OTHER}") == SAYING


def test_the_last_empty_line_ends_the_text() -> None:
    note = SIGNER.sign("one\n\ntwo\n")

    assert SIGNER.verifier.open(note) == "one\n\ntwo\n"


@pytest.mark.parametrize(
    "note",
    [
        "",
        SAYING,
        f"{SAYING}\n",
        f"{SAYING}{SIGNATURE}",
        f"{SAYING}\n{SIGNATURE}"[:-1],
        f"{SAYING}\n{OTHER}",
        f"{SAYING}\n{SIGNATURE}".replace("\u2014", "-"),
        f"{SAYING}\n{SIGNATURE}".replace("x08g", "y08g"),
        f"{SAYING}\n{SIGNATURE}".replace("answer", "Answer"),
        f"{SAYING}\n{SIGNATURE}".replace("AM=", "QM="),
        f"{SAYING}\n{SIGNATURE}".replace("PeterNeumann x", "Peter Neumann x"),
        f"{SAYING}\r\n{SIGNATURE}",
        f"{SAYING}\n{SIGNATURE}\n",
        f"{SAYING}\n{SIGNATURE}garbage\n",
    ],
)
def test_what_is_not_signed_by_the_key_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        NoteVerifier.from_text(PETER).open(note)


@pytest.mark.parametrize(
    "text",
    ["", "name", "a+b", PETER.replace("c74", "c75"), PETER[:-4], PETER.replace("+AR", "+BR"), "+" + PETER],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        NoteVerifier.from_text(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a\u2003b"])
def test_a_name_that_a_line_could_not_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a key"):
        NoteSigner(name, Ed25519PrivateKey.from_private_bytes(bytes(32)))


def test_a_checkpoint_is_three_lines_and_a_signature() -> None:
    checkpoint = Checkpoint("example.test/log", 20852163, bytes(32))

    note = checkpoint.signed(SIGNER)

    head = ["example.test/log", "20852163", "A" * 43 + "=", ""]
    assert note.split("\n")[:4] == head
    assert Checkpoint.opened(note, SIGNER.verifier) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "example.test/other\n1\n" + "A" * 43 + "=\n",
        "example.test/log\n01\n" + "A" * 43 + "=\n",
        "example.test/log\n-1\n" + "A" * 43 + "=\n",
        "example.test/log\n+1\n" + "A" * 43 + "=\n",
        "example.test/log\none\n" + "A" * 43 + "=\n",
        "example.test/log\n1\n" + "A" * 42 + "==\n",
        "example.test/log\n1\n" + "A" * 43 + "=\nmore\n",
        "example.test/log\n1\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.opened(SIGNER.sign(text), SIGNER.verifier)
