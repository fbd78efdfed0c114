"""A device whose certificate is to a template has it in its chip too, and it comes back from there."""

from dataclasses import replace

import pytest
from hri.compressed import Sources, load_template
from hri.compressed_store import DEVICE_SLOT, SIGNER_KEY_SLOT, SIGNER_SLOT, stored_certificate
from hri.config import Config
from hri.errors import ConfigurationError, DeviceError, PolicyRefusal
from hri.provision import provision
from unit.provision.soft_board import SoftBoard


@pytest.fixture
def to_template(context):
    config = Config.model_validate({"certificate": {"template": "hri-device"}})
    return replace(context, config=config)


def test_the_chips_slots_give_the_issued_certificate(connect, to_template, board):
    result = provision(connect, to_template, lock=True)
    stored = connect().load_certificate()
    sources = Sources(connect().public_key(0), element_serial=board.serial)
    rebuilt = stored_certificate(
        connect(), load_template("hri-device"), sources, to_template.authority.issuing
    )
    assert rebuilt == stored.certificate
    assert result.device_id == stored.device_id
    # The issuing CA of `hri ca init` has a random serial number, so its own slot stays blank.
    assert bytes(board.slots[SIGNER_SLOT]) == b"\xff" * 72
    assert board.slots[SIGNER_KEY_SLOT][:4] == bytes(4)


def test_without_a_template_the_slots_are_left_alone(connect, context, board):
    before = bytes(board.slots[DEVICE_SLOT])
    provision(connect, context, lock=True)
    assert bytes(board.slots[DEVICE_SLOT])[:64] in (before[:64], bytes(64), b"\xff" * 64)


def test_a_slot_that_does_not_hold_what_was_written_is_noticed(connect, to_template, board, monkeypatch):
    write = SoftBoard._chip_write_slot

    def torn(self, args, authorisation):
        done = write(self, args, authorisation)
        if args["slot"] == DEVICE_SLOT and self.data_locked:
            self.slots[DEVICE_SLOT][70] ^= 1
        return done

    monkeypatch.setattr(SoftBoard, "_chip_write_slot", torn)
    with pytest.raises(DeviceError, match="slot 10 did not read back") as refused:
        provision(connect, to_template, lock=True)
    assert refused.value.code == "chip-fault"
    assert board.record is None

    monkeypatch.undo()
    provision(connect, to_template, lock=True)
    stored = connect().load_certificate()
    sources = Sources(connect().public_key(0), element_serial=board.serial)
    issuing = to_template.authority.issuing
    assert stored_certificate(connect(), load_template("hri-device"), sources, issuing) == stored.certificate


@pytest.mark.parametrize("template", ["hri-device", "hri-element"])
def test_a_name_that_the_template_does_not_give_is_refused_before_any_change(
    connect, context, board, template
):
    config = Config.model_validate({"certificate": {"template": template}})
    with pytest.raises(PolicyRefusal) as refused:
        provision(connect, replace(context, config=config), device_id="shelf-7", lock=True)
    assert refused.value.code == "device-id-not-to-template"
    assert board.changes == []


def test_named_by_the_chip_a_device_is_called_by_its_serial_number(connect, context, board):
    config = Config.model_validate({"certificate": {"template": "hri-element"}})
    assert provision(connect, replace(context, config=config), lock=True).device_id == board.serial.hex()


def test_a_certificate_from_before_the_template_is_left_as_it_is(connect, context, to_template, board):
    first = provision(connect, context, lock=True)
    before = bytes(board.slots[DEVICE_SLOT])
    assert provision(connect, to_template, lock=True).certificate == first.certificate
    assert bytes(board.slots[DEVICE_SLOT]) == before


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"certificate": {"template": "hri-device", "validity_days": 400}}, "whole years"),
        ({"certificate": {"template": "hri-device", "validity_days": 730}}, "outlive"),
        ({"certificate": {"template": "tngtls-device"}}, "not one for certificates of devices"),
        ({"certificate": {"template": "none-such"}}, "no certificate template"),
    ],
)
def test_a_configuration_that_cannot_be_issued_to_is_refused(more, says):
    with pytest.raises(ConfigurationError, match=says):
        Config.model_validate(more).profile()


def test_what_the_template_decides_cannot_be_configured():
    with pytest.raises(ValueError, match="subject: left out with a template"):
        Config.model_validate({"certificate": {"template": "hri-device", "subject": {"O": "Ours"}}})
