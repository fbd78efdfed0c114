"""From a manifest to an endorsement, and from this station's records to a manifest."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hri.ca.authority import Authority
from hri.ca.manifest_signer import ManifestSigner
from hri.ca.operator import OperatorKey
from hri.config import Config
from hri.context import Context
from hri.elements.board import BoardElement
from hri.endorsing import export_manifest, import_manifest
from hri.errors import ConfigurationError, PolicyRefusal
from hri.manifest import ManifestError, TrustedSigners, read_manifest
from hri.provision import provision
from hri.registry import Endorsement, Registry
from unit.manifest.conftest import NOW, SERIAL, element, jwk, manifest, point
from unit.provision.soft_board import CableCut, SoftBoard

STRICT = Config.model_validate({"security": {"accept_first_seen": False}})
OTHER = "0123aabbccddee02ee"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    Authority.create(folder, root_passphrase=b"root", ca_passphrase=b"ca", now=NOW)
    return folder


@pytest.fixture
def station(home: Path) -> Iterator[Context]:
    with Registry.open(":memory:") as registry:
        yield Context(
            Config(),
            registry,
            Authority.open(home, b"ca"),
            OperatorKey.open(home, b"ca"),
            station="line-1",
            now=lambda: NOW,
            sleep=lambda _: None,
        )


@pytest.fixture
def elsewhere(station: Context) -> Iterator[Context]:
    """The same authority, another registry, and trust in manifests alone."""
    with Registry.open(":memory:") as registry:
        yield replace(station, registry=registry, config=STRICT, station="site-2")


@pytest.fixture
def own(home: Path) -> ManifestSigner:
    return ManifestSigner.open(home, b"ca", station="line-1", now=NOW)


def connect(board: SoftBoard, context: Context):
    return lambda: BoardElement(board, authorise=context.authorise(), sleep=context.sleep)


def until_birth(board: SoftBoard, context: Context) -> None:
    """Personalise as far as the attestation key."""

    def cut(_number: int, op: str, when: str) -> None:
        if (op, when) == ("key.birth", "before"):
            raise CableCut(op)

    board.cut = cut
    with pytest.raises(CableCut):
        provision(connect(board, context), context, lock=True)
    board.cut = lambda *_: None


def test_an_import_endorses_the_key_of_the_attestation_slot(station, signer, key):
    data = manifest(signer.entry(element(jwk(0, key), jwk(1, key))))
    done = import_manifest(station, data, signer.trusted)
    assert (done.recorded, done.known, done.without_key) == (1, 0, ())
    (record,) = station.registry.endorsements(SERIAL)
    assert (record.kind, record.attestation_key) == ("vendor-manifest", point(key))
    assert record.detail["x5t#S256"] == signer.thumbprint.hex()


def test_an_import_repeated_changes_nothing(station, signer, key):
    data = manifest(signer.entry(element(jwk(1, key))))
    import_manifest(station, data, signer.trusted)
    done = import_manifest(station, data, signer.trusted)
    assert (done.recorded, done.known) == (0, 1)
    assert len(station.registry.endorsements(SERIAL)) == 1


def test_a_chip_known_with_another_key_refuses_the_whole_import(station, signer, key):
    station.registry.record_endorsement(
        Endorsement("station-first-seen", OTHER, b"\x01" * 64, NOW, "line-1", "personalised")
    )
    entries = [signer.entry(element(jwk(1, key))), signer.entry(element(jwk(1, key), serial=OTHER))]
    with pytest.raises(PolicyRefusal) as refused:
        import_manifest(station, manifest(*entries), signer.trusted)
    assert refused.value.code == "endorsement-conflict"
    assert station.registry.endorsements(SERIAL) == ()


def test_a_chip_without_an_attestation_key_is_left_out_and_named(station, signer, key):
    entries = [signer.entry(element(jwk(1, key))), signer.entry(element(jwk(0, key), serial=OTHER))]
    assert import_manifest(station, manifest(*entries), signer.trusted).without_key == (OTHER,)
    with pytest.raises(ManifestError) as refused:
        import_manifest(station, manifest(entries[1]), signer.trusted)
    assert refused.value.code == "no-attestation-key"


def test_a_forged_entry_leaves_nothing(station, signer, key):
    good = signer.entry(element(jwk(1, key)))
    bad = signer.entry(element(jwk(1, key), serial=OTHER), signature="A" * 86)
    with pytest.raises(ManifestError):
        import_manifest(station, manifest(good, bad), signer.trusted)
    assert station.registry.endorsements(SERIAL) == ()


def test_this_stations_own_manifest_adds_nothing_to_its_word(station, own):
    provision(connect(SoftBoard(), station), station, lock=True)
    data = export_manifest(station, own)
    with pytest.raises(ManifestError) as refused:
        import_manifest(
            station,
            data,
            TrustedSigners.of([own.certificate]),
            own_thumbprint=next(iter(TrustedSigners.of([own.certificate]).by_thumbprint)),
        )
    assert refused.value.code == "own-manifest"


def test_an_export_names_the_keys_and_the_certificate(station, own):
    board = SoftBoard()
    result = provision(connect(board, station), station, device_id="d1", lock=True)
    (chip,) = read_manifest(export_manifest(station, own), TrustedSigners.of([own.certificate]), now=NOW)
    assert chip.element_serial == board.serial.hex() == result.element.serial_number
    element_ = connect(board, station)()
    assert chip.key_in(1) == element_.public_key(1)
    assert chip.key_in(0) == element_.public_key(0)
    stored = element_.load_certificate()
    assert chip.keys[0].certificates == (stored.certificate, *stored.chain)
    assert export_manifest(station, own, ["d1"])


def test_an_export_of_nobody_is_refused(station, own):
    with pytest.raises(PolicyRefusal) as refused:
        export_manifest(station, own)
    assert refused.value.code == "nothing-to-export"
    with pytest.raises(PolicyRefusal) as refused:
        export_manifest(station, own, ["nobody"])
    assert refused.value.code == "unknown-device"


def test_what_others_endorsed_is_not_exported(station, own, signer, key):
    import_manifest(station, manifest(signer.entry(element(jwk(1, key)))), signer.trusted)
    with pytest.raises(PolicyRefusal, match="no chip was first seen"):
        export_manifest(station, own)


def test_a_chip_that_nobody_vouches_for_is_refused_before_it_is_locked(elsewhere):
    board = SoftBoard()
    with pytest.raises(PolicyRefusal) as refused:
        provision(connect(board, elsewhere), elsewhere, lock=True)
    assert refused.value.code == "unendorsed"
    assert board.changes == []


def test_a_chip_endorsed_by_a_manifest_is_provisioned_where_first_seen_does_not_count(
    station, elsewhere, own
):
    board = SoftBoard()
    until_birth(board, station)
    assert board.locked_slots == [1]
    import_manifest(elsewhere, export_manifest(station, own), TrustedSigners.of([own.certificate]))

    result = provision(connect(board, elsewhere), elsewhere, lock=True)

    births = elsewhere.registry.evidence(result.device_id, kind="birth")
    assert [birth.verdict["trusted"] for birth in births] == [True]


def test_a_manifest_that_speaks_of_another_key_does_not_let_the_chip_in(elsewhere, station, signer, key):
    board = SoftBoard()
    until_birth(board, station)
    import_manifest(
        elsewhere, manifest(signer.entry(element(jwk(1, key), serial=board.serial.hex()))), signer.trusted
    )
    with pytest.raises(PolicyRefusal, match="unendorsed"):
        provision(connect(board, elsewhere), elsewhere, lock=True)
    assert 0 not in board.locked_slots


def test_the_signer_is_made_once_and_opened_with_the_passphrase(home, own):
    again = ManifestSigner.open(home, b"ca", station="renamed", now=NOW + timedelta(days=1))
    assert again.certificate == own.certificate
    assert ManifestSigner.certificate_of(home) == own.certificate
    with pytest.raises(ConfigurationError):
        ManifestSigner.open(home, b"wrong", station="line-1", now=NOW)


def test_a_home_without_an_authority_has_no_signer(tmp_path):
    assert ManifestSigner.certificate_of(tmp_path) is None
    with pytest.raises(ConfigurationError) as refused:
        ManifestSigner.open(tmp_path, b"ca", station="line-1", now=NOW)
    assert refused.value.code == "no-ca"
