"""The commands: opcode, name, function and execution times.

Times in milliseconds. ``typical``: ATECC508A data sheet DS20005927A, table "Command Opcodes, Short
Descriptions and Execution Times", column "Typ.", presumed for the 608; where the 508A has no such command
(AES, KDF, SecureBoot, SelfTest) assumed. ``longest``: the longest times of a 608A at its three clock
dividers, from the table of execution times in the vendor's public library; presumed for the 608B, which is
specified for polling only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hri.rig.atecc import (
    aes_commands,
    counter_commands,
    derivekey_commands,
    ecc_commands,
    ecdh_commands,
    info_commands,
    kdf_commands,
    mac_commands,
    memory_commands,
    nonce_commands,
    secureboot,
    sha_commands,
    verify_commands,
)
from hri.rig.atecc.core import Core

READ, INFO, SELFTEST = 0x02, 0x30, 0x77


@dataclass(frozen=True, slots=True)
class Command:
    """One command; ``run`` takes Param1, Param2 and data, returns the answer's payload or refuses."""

    name: str
    run: Callable[[Core, int, int, bytes], bytes]
    typical: float
    longest: tuple[int, int, int]


COMMANDS = {
    0x02: Command("Read", memory_commands.read, 0.1, (5, 5, 5)),
    0x08: Command("MAC", mac_commands.mac, 5, (55, 55, 55)),
    0x12: Command("Write", memory_commands.write, 7, (45, 45, 45)),
    0x15: Command("GenDig", nonce_commands.gendig, 5, (25, 35, 35)),
    0x16: Command("Nonce", nonce_commands.nonce, 0.1, (20, 20, 20)),
    0x17: Command("Lock", memory_commands.lock, 8, (35, 35, 35)),
    0x1B: Command("Random", memory_commands.random, 1, (23, 23, 23)),
    0x1C: Command("DeriveKey", derivekey_commands.derivekey, 2, (50, 50, 50)),
    0x20: Command("UpdateExtra", memory_commands.updateextra, 8, (10, 10, 10)),
    0x24: Command("Counter", counter_commands.counter, 5, (25, 25, 25)),
    0x28: Command("CheckMac", mac_commands.checkmac, 5, (40, 40, 40)),
    0x30: Command("Info", info_commands.info, 0.1, (5, 5, 5)),
    0x40: Command("GenKey", ecc_commands.genkey, 11, (115, 215, 653)),
    0x41: Command("Sign", ecc_commands.sign, 42, (115, 220, 665)),
    0x43: Command("ECDH", ecdh_commands.ecdh, 38, (75, 172, 531)),
    0x45: Command("Verify", verify_commands.verify, 38, (105, 295, 1085)),
    0x46: Command("PrivWrite", ecc_commands.privwrite, 1, (50, 50, 50)),
    0x47: Command("SHA", sha_commands.sha, 7, (36, 42, 75)),
    0x51: Command("AES", aes_commands.aes, 5, (27, 27, 27)),
    0x56: Command("KDF", kdf_commands.kdf, 30, (165, 165, 165)),
    0x77: Command("SelfTest", info_commands.selftest, 90, (250, 625, 2324)),
    0x80: Command("SecureBoot", secureboot.secureboot, 40, (80, 160, 480)),
}
