"""What a board is: pins, bus, chip, runtime and how to flash it, read from ``boards/<name>/board.toml``."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

Text = Annotated[str, Field(min_length=1)]
Pin = int | Text
"""A pin as the runtime names it: a number, or a name such as ``SCL``."""


class BoardError(Exception):
    """A board is not described or a virtual one has failed; the message says what to do."""


def _usb_id(text: str) -> str:
    vendor, colon, product = text.partition(":")
    if not colon or len(vendor) != 4 or len(product) != 4:
        raise ValueError(f"{text!r} is not VENDOR:PRODUCT, four hex digits each")
    int(vendor + product, 16)
    return text.lower()


UsbId = Annotated[str, AfterValidator(_usb_id)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Runtime(_Section):
    """The interpreter: its ``version`` that the facts are of, and ``image``, the name its makers give it."""

    kind: Literal["micropython", "circuitpython"]
    version: Text
    image: Text


class Flashing(_Section):
    """How a runtime gets onto the board.

    ``uf2``: a drive called ``drive`` whose Board-ID in INFO_UF2.TXT is one of ``board_ids``, alone or with
    more behind a hyphen, and images whose blocks are of ``family``.
    ``esptool``: ``mcu`` as esptool's --chip names it, and ``offset``, the image's place in flash in bytes.
    """

    method: Literal["uf2", "esptool", "none"]
    enter: Text
    drive: Text | None = None
    board_ids: tuple[Text, ...] = Field(default=(), strict=False)
    family: int | None = None
    mcu: Text | None = None
    offset: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _complete(self) -> Flashing:
        needed = {"uf2": ("drive", "board_ids", "family"), "esptool": ("mcu", "offset"), "none": ()}
        for name in needed[self.method]:
            if getattr(self, name) in (None, ()):
                raise ValueError(f"{name} is missing, which {self.method} needs")
        return self


class Usb(_Section):
    """USB vendor:product ids with the runtime running; ``bridge`` says that they are a serial bridge's."""

    ids: tuple[UsbId, ...] = Field(strict=False)
    bridge: bool = False


class I2c(_Section):
    """One I2C bus: controller ``id``, pins (None where there are none), frequencies in hertz."""

    id: int = Field(ge=0)
    hz: int = Field(gt=0, le=1_000_000)
    wake_hz: int = Field(gt=0)
    scl: Pin | None = None
    sda: Pin | None = None

    @model_validator(mode="after")
    def _in_order(self) -> I2c:
        if self.wake_hz > self.hz:
            raise ValueError("wake_hz must be at most hz")
        return self


class Chip(_Section):
    """The secure element: ``part``, whether it is on the board, and its 7-bit ``address``."""

    part: Text
    on_board: bool
    address: int = Field(ge=0x08, le=0x77)


class Wire(_Section):
    """One wire from the board's pin, as printed beside it, to the breakout's."""

    signal: Literal["3V3", "GND", "SDA", "SCL"]
    board: Text
    chip: Text


class FileSystem(_Section):
    """Where the file system lies in flash: ``offset`` and ``block_size`` in bytes."""

    offset: int = Field(ge=0)
    block_size: int = Field(gt=0)
    block_count: int = Field(gt=0)

    @property
    def size(self) -> int:
        """Return the size of the file system in bytes."""
        return self.block_size * self.block_count


class Virtual(_Section):
    """What the rig runs in the board's place: the name of a runtime of ``hri.rig.runtimes``.

    ``stand_in`` says, for a runtime that is another board's, what of this board is therefore not there.
    ``chip`` is the virtual chip that comes nearest to the board's own.
    """

    runtime: Text
    filesystem: FileSystem | None = None
    stand_in: Text | None = None
    chip: Text = "atecc608b"


class Proof(_Section):
    """What was done, and on what: ``run``, on a ``stand-in``, or only ``type-checked`` or ``read``."""

    how: Literal["run", "stand-in", "type-checked", "read"]
    on: Text
    what: Text


class BoardDescription(_Section):
    """A validated board.toml; ``sources`` state its facts, except those ``assumed``."""

    name: Text
    title: Text
    mcu: Text
    sources: tuple[Text, ...] = Field(min_length=1, strict=False)
    assumed: tuple[Text, ...] = Field(default=(), strict=False)
    notes: tuple[Text, ...] = Field(default=(), strict=False)
    runtime: Runtime
    flashing: Flashing
    usb: Usb | None = None
    i2c: I2c
    chip: Chip
    wires: tuple[Wire, ...] = Field(default=(), strict=False)
    virtual: Virtual | None = None
    proven: tuple[Proof, ...] = Field(min_length=1, strict=False)

    @model_validator(mode="after")
    def _wired(self) -> BoardDescription:
        signals = [wire.signal for wire in self.wires]
        if self.chip.on_board and signals:
            raise ValueError("wires: a chip on the board needs none")
        needs_wires = not self.chip.on_board and self.i2c.sda is not None
        if needs_wires and sorted(signals) != ["3V3", "GND", "SCL", "SDA"]:
            raise ValueError("wires: a breakout needs 3V3, GND, SDA and SCL, each once")
        return self

    @classmethod
    def from_toml(cls, text: str) -> BoardDescription:
        """Read ``text``, raising BoardError that names the key that is missing, unknown or out of range."""
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise BoardError(f"not a board description: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            said = first["msg"].removeprefix("Value error, ")
            raise BoardError(f"not a board description: {f'{where}: ' if where else ''}{said}") from error

    def settings(self) -> dict[str, Any]:
        """Return the content of the board's ``hri_board.json``: what differs from firmware/main.py's own."""
        settings: dict[str, Any] = {"board": self.name}
        if self.i2c.scl is not None and self.i2c.sda is not None:
            if self.runtime.kind == "micropython":
                settings |= {"i2c": self.i2c.id, "freq": self.i2c.hz}
            settings |= {"scl": self.i2c.scl, "sda": self.i2c.sda}
        # A breakout may carry any variant, each at its own address, so the firmware looks for it.
        return settings | ({"address": self.chip.address} if self.chip.on_board else {})
