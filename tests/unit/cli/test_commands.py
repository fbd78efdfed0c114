"""Every command: what it prints where, and how it ends."""

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.provision import STEPS


def make_csr(name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_help_names_only_commands_that_exist(hri):
    ran = hri("--help")

    assert ran.status == 0
    for command in (
        "provision",
        "authenticate",
        "attest",
        "verify",
        "revoke",
        "chip",
        "rig",
        "ca",
        "log",
        "audit",
        "serve",
    ):
        assert command in ran.out


def test_no_command_shows_the_help(hri):
    ran = hri()

    assert ran.status == 2
    assert "Usage: hri" in ran.out + ran.err


def test_the_authority_is_made_once(hri):
    first, second = hri("--json", "ca", "init"), hri("--json", "ca", "init")

    assert first.status == 0
    assert len(first.json["root_fingerprint"]) == 64
    assert (second.status, second.error["code"]) == (2, "ca-exists")


def test_exports_are_pem_on_standard_output_alone(hri):
    hri("ca", "init")

    root, chain, crl = (hri("ca", "export", option) for option in ("--root", "--chain", "--crl"))

    assert len(x509.load_pem_x509_certificates(root.out.encode())) == 1
    assert len(x509.load_pem_x509_certificates(chain.out.encode())) == 2
    assert len(x509.load_pem_x509_crl(crl.out.encode())) == 0
    assert (root.err, chain.err, crl.err) == ("", "", "")


def test_a_damaged_revocation_list_is_made_anew(hri, tmp_path):
    hri("ca", "init")
    (tmp_path / "home/crl/issuing.crl").write_bytes(b"damaged")

    ran = hri("ca", "export", "--crl")

    assert ran.status == 0
    assert len(x509.load_pem_x509_crl(ran.out.encode())) == 0


def test_provision_gives_what_the_contract_says(provisioned, board):
    assert provisioned["device_id"] == "d1"
    assert provisioned["element"] == {"type": "atecc608b", "serial_number": board.serial.hex(), "slot": 0}
    assert [step["name"] for step in provisioned["steps"]] == list(STEPS)
    assert all(step["milliseconds"] >= 0 for step in provisioned["steps"])
    assert x509.load_pem_x509_certificate(provisioned["certificate"].encode())


def test_provision_without_lock_ends_with_status_1_and_the_plan(hri, port, board):
    hri("ca", "init")

    words = hri("provision", "--port", port)
    document = hri("provision", "--port", port, "--json")

    assert words.status == document.status == 1
    assert "for ever" in words.out
    assert document.error["code"] == "lock-required"
    assert "--lock" in document.error["hint"]
    assert document.error["plan"]["permanent"]
    assert document.out == ""
    assert board.changes == []


@pytest.mark.usefixtures("provisioned")
def test_authenticate_and_attest_tell_the_decision(hri, port):
    for command in ("authenticate", "attest"):
        ran = hri(command, "--json", "--port", port)

        assert ran.status == 0
        assert set(ran.json) == {"trusted", "device_id", "reasons", "evidence"}
        assert (ran.json["trusted"], ran.json["device_id"], ran.json["reasons"]) == (True, "d1", [])


@pytest.mark.usefixtures("provisioned")
def test_checking_needs_no_passphrase(hri, port, monkeypatch):
    monkeypatch.delenv("HRI_CA_PASSPHRASE")

    for arguments in (
        ("authenticate", "--port", port),
        ("attest", "--port", port),
        ("list",),
        ("show", "d1"),
    ):
        assert hri(*arguments).status == 0


@pytest.mark.usefixtures("provisioned")
def test_a_revoked_device_is_not_trusted_and_the_status_is_1(hri, port):
    assert hri("revoke", "d1", "--reason", "key-compromise").status == 0

    ran = hri("--json", "authenticate", "--port", port)

    assert ran.status == 1
    assert [reason["code"] for reason in ran.json["reasons"]] == ["revoked"]
    assert len(x509.load_pem_x509_crl(hri("ca", "export", "--crl").out.encode())) == 1


@pytest.mark.usefixtures("provisioned")
def test_renew_and_rotate_give_a_new_certificate(hri, port):
    renewed = hri("--json", "renew", "d1", "--port", port)
    rotated = hri("--json", "rotate", "d1", "--port", port)

    assert (renewed.status, rotated.status) == (0, 0)
    report = hri("--json", "show", "d1").json
    assert [item["state"] for item in report["certificates"]].count("active") == 1
    assert report["certificates"][-1]["serial_number"] == rotated.json["serial_number"]
    # What was superseded is on the published list at once.
    assert len(x509.load_pem_x509_crl(hri("ca", "export", "--crl").out.encode())) == 2


@pytest.mark.usefixtures("provisioned")
def test_list_and_show_name_the_device(hri, board):
    assert [device["device_id"] for device in hri("--json", "list").json["devices"]] == ["d1"]
    assert "d1" in hri("list").out
    shown = hri("--json", "show", "d1").json
    assert shown["element"]["serial_number"] == board.serial.hex()
    assert shown["births"][0]["reasons"] == []
    assert "d1  active" in hri("show", "d1").out


def test_show_of_an_unknown_device_is_a_usage_error(hri):
    hri("ca", "init")

    ran = hri("--json", "show", "nobody")

    assert (ran.status, ran.error["code"]) == (2, "not-found")


def test_verify_decides_about_a_file(hri, provisioned, tmp_path):
    pem = tmp_path / "device.pem"
    pem.write_text(provisioned["certificate"])
    der = tmp_path / "device.der"
    der.write_bytes(
        x509.load_pem_x509_certificate(provisioned["certificate"].encode()).public_bytes(Encoding.DER)
    )

    for file in (pem, der):
        good = hri("--json", "verify", "--cert", str(file))
        assert (good.status, good.json["trusted"], good.json["device_id"]) == (0, True, "d1")
    early = hri("--json", "verify", "--cert", str(pem), "--at", "2020-01-01T00:00:00Z")
    server = hri("--json", "verify", "--cert", str(pem), "--purpose", "server")

    assert (early.status, early.json["reasons"][0]["code"]) == (1, "not-yet-valid")
    assert (server.status, server.json["reasons"][0]["code"]) == (1, "wrong-purpose")


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n", b"\x30\x00"]
)
def test_what_is_no_certificate_is_not_trusted(hri, tmp_path, content):
    hri("ca", "init")
    (tmp_path / "file").write_bytes(content)

    ran = hri("--json", "verify", "--cert", str(tmp_path / "file"))

    assert (ran.status, ran.json["reasons"][0]["code"]) == (1, "malformed")


def test_a_request_without_evidence_is_refused_unless_the_operator_says_why(hri, tmp_path):
    hri("ca", "init")
    csr = tmp_path / "soft.csr"
    csr.write_bytes(make_csr("soft-1"))

    refused = hri("--json", "ca", "issue", "--csr", str(csr))
    issued = hri("ca", "issue", "--csr", str(csr), "--unattested", "bench test")

    assert (refused.status, refused.error["code"]) == (1, "unattested")
    assert issued.status == 0
    assert x509.load_pem_x509_certificate(issued.out.encode())
    assert hri("--json", "show", "soft-1").json["element"]["type"] == "none"


@pytest.mark.usefixtures("provisioned")
def test_evidence_that_answered_no_challenge_of_ours_does_not_count(hri, tmp_path):
    csr, evidence = tmp_path / "csr", tmp_path / "evidence"
    csr.write_bytes(make_csr("d1"))
    evidence.write_bytes(b"\xd2\x84")

    ran = hri("--json", "ca", "issue", "--csr", str(csr), "--evidence", str(evidence))

    assert (ran.status, ran.error["code"]) == (1, "unattested")


def test_chip_commands_look_and_do_not_touch(hri, port, board):
    info = hri("--json", "chip", "info", "--port", port)
    plan = hri("--json", "chip", "plan", "--port", port)
    lint = hri("--json", "chip", "lint", "--port", port)

    assert (info.status, plan.status, lint.status) == (0, 0, 0)
    assert info.json["serial_number"] == board.serial.hex()
    assert (info.json["config_locked"], len(info.json["config"])) == (False, 256)
    assert plan.json["stage"] == "blank"
    assert lint.json["ok"] is True
    assert hri("--json", "chip", "lint", "--present", "--port", port).status == 1
    assert "slot" in hri("chip", "info", "--port", port).out
    assert board.changes == []


def test_apply_and_lock_are_dry_runs_without_the_serial_number(hri, port, board):
    hri("ca", "init")
    # What cannot be locked yet ends with 1, as the real run would.
    for status, *command in ((0, "apply"), (1, "lock"), (1, "lock", "--zone", "data")):
        ran = hri("--json", "chip", *command, "--port", port)

        assert ran.status == status
        assert ran.json["dry_run"] is True
        assert ran.json["serial_number"] == board.serial.hex()
    assert board.changes == []


def test_another_serial_number_is_refused(hri, port, board):
    hri("ca", "init")

    ran = hri("--json", "chip", "lock", "--port", port, "--serial", "0123000000000000ee")

    assert (ran.status, ran.error["code"]) == (1, "not-confirmed")
    assert board.changes == []


def test_a_zone_is_locked_only_with_what_belongs_into_it(hri, port, board):
    hri("ca", "init")
    serial = board.serial.hex()

    early = hri("--json", "chip", "lock", "--port", port, "--serial", serial)
    applied = hri("--json", "chip", "apply", "--port", port, "--serial", serial)
    locked = hri("--json", "chip", "lock", "--port", port, "--serial", serial)
    data = hri("--json", "chip", "lock", "--zone", "data", "--port", port, "--serial", serial)

    assert (early.status, early.error["code"]) == (1, "not-configured")
    assert (applied.json["config_locked"], locked.json["config_locked"]) == (False, True)
    assert data.json["data_locked"] is True
    assert hri("--json", "provision", "--port", port, "--lock").status == 0


def test_global_options_may_stand_anywhere(hri, tmp_path):
    other = str(tmp_path / "other")

    assert hri("ca", "init", "--json", "--home", other).status == 0
    assert hri("list", f"--home={other}", "--json").json == {"devices": []}


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("provision", "--port", "/dev/no-such-port"), 3, "no-port"),
        (("provision",), 2, "no-port"),
        (("authenticate", "--port", "/dev/no-such-port"), 3, "no-port"),
        (("no-such-command",), 2, "usage"),
        (("provision", "--no-such-option"), 2, "usage"),
        (("revoke", "d1", "--reason", "boredom"), 2, "bad-reason"),
        (("verify", "--cert", "/no/such/file"), 2, "no-file"),
        (("verify", "--cert", "/dev/zero"), 2, "file-too-long"),
        (("ca", "issue", "--csr", "/etc"), 2, "no-file"),
        (("verify", "--cert", "/dev/null", "--at", "soon"), 2, "bad-time"),
        (("provision", "--port", "/dev/null", "--device-id", "../x"), 2, "bad-device-id"),
        (("rig", "bus", "--listen", "nowhere"), 2, "bad-address"),
        (("ca", "export", "--root", "--crl"), 2, "usage"),
    ],
)
def test_errors_are_one_json_object_on_standard_error(hri, arguments, status, code):
    hri("ca", "init")

    ran = hri("--json", *arguments)

    assert (ran.status, ran.out) == (status, "")
    assert ran.error["code"] == code
    assert ran.error["message"]


def test_without_an_authority_the_way_to_one_is_told(hri, port):
    ran = hri("provision", "--port", port)

    assert ran.status == 2
    assert "hri ca init" in ran.err


def test_a_wrong_passphrase_is_told_and_never_shown(hri, port, monkeypatch):
    hri("ca", "init")
    monkeypatch.setenv("HRI_CA_PASSPHRASE", "not the words")

    ran = hri("-vv", "provision", "--port", port)

    assert ran.status == 2
    assert "passphrase" in ran.err
    assert "not the words" not in ran.out + ran.err


def test_a_missing_passphrase_names_every_way_to_give_it(hri, port, monkeypatch, tmp_path):
    hri("ca", "init")
    monkeypatch.delenv("HRI_CA_PASSPHRASE")
    file = tmp_path / "words"
    file.write_text("secret ca words\nsecond line\n")
    file.chmod(0o600)

    missing = hri("--json", "provision", "--port", port)
    given = hri("--json", "provision", "--port", port, "--lock", "--passphrase-file", str(file))

    assert (missing.status, missing.error["code"]) == (2, "no-passphrase")
    assert given.status == 0


def test_no_secret_is_in_any_log(hri, port):
    hri("ca", "init")
    ran = hri("-vv", "provision", "--port", port, "--lock")

    assert "secret" not in ran.out + ran.err


def test_the_configuration_warns_but_works(hri, tmp_path, port):
    hri("ca", "init")
    vector = Path(__file__).parents[2] / "vectors" / "mission.yaml"
    (tmp_path / "home/config.yaml").write_bytes(vector.read_bytes())

    ran = hri("provision", "--port", port, "--lock")

    assert ran.status == 0
    assert "key_encipherment" in ran.err


def test_an_interrupt_ends_in_one_line(hri, monkeypatch):
    from hri.home import Home

    def interrupt(_self):
        raise KeyboardInterrupt

    hri("ca", "init")
    monkeypatch.setattr(Home, "registry", interrupt)

    ran = hri("--json", "list")

    assert (ran.status, ran.error["code"]) == (130, "interrupted")


def test_a_fault_of_ours_is_one_line_too(hri, monkeypatch):
    from hri.home import Home

    hri("ca", "init")
    monkeypatch.setattr(Home, "registry", lambda _self: json.loads("{"))

    ran = hri("--json", "list")

    assert (ran.status, ran.error["code"]) == (3, "internal")


def test_a_closed_line_provisions_what_was_registered(hri, port, board, tmp_path):
    hri("ca", "init")
    (tmp_path / "home/config.yaml").write_text("identity:\n  provisioning:\n    auto_enrollment: false\n")

    before = hri("--json", "provision", "--port", port, "--device-id", "d1", "--lock")
    listed = hri("--json", "register", "d1", "--element", board.serial.hex())
    after = hri("--json", "provision", "--port", port, "--lock")

    assert (before.status, before.error["code"]) == (1, "not-registered")
    assert "hri register" in before.error["hint"]
    assert (listed.status, listed.json["status"]) == (0, "registered")
    assert (after.status, after.json["device_id"]) == (0, "d1")


def test_a_chips_configuration_is_told_in_words(hri, port):
    ran = hri("--json", "chip", "info", "--port", port)

    assert len(ran.json["slots"]) == 16
    assert sum(len(bytes.fromhex(field["hex"])) for field in ran.json["fields"]) == 64
    assert "AES" in next(field["words"] for field in ran.json["fields"] if field["name"] == "AES_Enable")


def test_a_configuration_is_decoded_and_checked_without_a_chip(hri, tmp_path):
    from adafruit_atecc.adafruit_atecc import CFG_TLS
    from hri.elements.atecc.profile import load_profile

    tng = load_profile("tngtls-608b").config_bytes(bytes(128)).hex()
    (tmp_path / "cfg_tls.bin").write_bytes(CFG_TLS)

    decoded = hri("--json", "chip", "decode", tng)
    corrupt = hri("--json", "chip", "lint", str(tmp_path / "cfg_tls.bin"))
    undecoded = hri("--json", "chip", "decode", str(tmp_path / "cfg_tls.bin"))
    missing = hri("--json", "chip", "lint", str(tmp_path / "nothing"))

    assert decoded.json["known_as"]["profile"] == "tngtls-608b"
    assert (corrupt.status, corrupt.json["findings"][0]["code"]) == (1, "wrong-length")
    assert (undecoded.status, undecoded.error["code"]) == (2, "wrong-length")
    assert (missing.status, missing.error["code"]) == (2, "no-file")


def test_profiles_say_which_of_them_are_ever_written(hri):
    known = {entry["name"]: entry["writable"] for entry in hri("--json", "chip", "profiles").json["profiles"]}

    assert known["hri-device"]
    assert not known["tngtls-608b"]
    assert "hri-device" in hri("chip", "profiles").out


def test_a_bad_profile_cannot_be_locked_in(hri, port, board, tmp_path):
    """The newcomer's own profile, with an attestation key that signs anything: nothing reaches the chip."""
    from hri.elements.atecc import layout, profile
    from hri.elements.atecc.words import describe_slot

    hri("ca", "init")
    shipped = profile._FOLDER.joinpath("hri-device.yaml").read_text()
    good, bad = (
        describe_slot(layout.Slot(1, layout.SlotConfig(word), layout.KeyConfig(0x0073), locked=False))
        for word in (0x2082, 0x2083)
    )
    text = " ".join(shipped.split("- slot: 1\n")[1].split("- slot: 2\n")[0].split("words: >-")[1].split())
    assert text == good
    head, tail = shipped.split("- slot: 1\n")
    mine, rest = tail.split("  - slot: 2\n")
    mine = mine.split("words: >-")[0].replace("0x2082", "0x2083") + f"words: >-\n      {bad}\n"
    (tmp_path / "mine.yaml").write_text(f"{head}- slot: 1\n{mine}  - slot: 2\n{rest}")
    chosen = ("--port", port, "--profile", str(tmp_path / "mine.yaml"))
    serial = board.serial.hex()

    linted = hri("--json", "chip", "lint", *chosen)
    applied = hri("--json", "chip", "apply", *chosen, "--serial", serial)
    locked = hri("--json", "chip", "lock", *chosen, "--serial", serial)

    assert (linted.status, linted.json["ok"]) == (1, False)
    assert (applied.status, applied.error["code"]) == (1, "lint")
    assert (locked.status, locked.error["code"]) == (1, "lint")
    assert board.changes == []


def test_a_description_cannot_be_applied(hri, port, board):
    hri("ca", "init")

    ran = hri(
        "--json", "chip", "apply", "--port", port, "--profile", "tngtls-608b", "--serial", board.serial.hex()
    )
    dry = hri("--json", "chip", "lock", "--port", port, "--profile", "tngtls-608b")

    assert (ran.status, ran.error["code"]) == (1, "foreign-configuration")
    assert "never written" in dry.json["obstacle"]
    assert board.changes == []


def test_a_dry_run_names_what_the_real_run_would_refuse(hri, port):
    early = hri("--json", "chip", "lock", "--port", port)
    data = hri("--json", "chip", "lock", "--zone", "data", "--port", port)

    assert "hri chip apply" in early.json["obstacle"]
    assert "--zone config" in data.json["obstacle"]
