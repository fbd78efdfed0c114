"""The one place where the versions of the runtimes are pinned, with the hash of every file they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

from hri.rig.runtimes.debian import Package, Pinned

MICROPYTHON = "1.25.0"
# What MicroPython's banner and `sys.version` show as the build date; its release day, so that builds repeat.
SOURCE_DATE_EPOCH = 1744675200


PACKAGES = (
    Package(
        "micropython",
        "1.25.0+ds-1",
        True,
        (
            (
                "micropython_1.25.0+ds-1.dsc",
                "8c7c406be88a6f3bc19e694eb0bbc5841112243fdf2b5a296e000d8fdc5f3c34",
            ),
            (
                "micropython_1.25.0+ds.orig.tar.xz",
                "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea",
            ),
        ),
    ),
    Package(
        "mbedtls",
        "3.6.6-0.1~deb13u1",
        True,
        (
            (
                "mbedtls_3.6.6-0.1~deb13u1.dsc",
                "eb9ed1adbbddcb0d00276fac6fcee0056c64ce01481c2522a16dca75792eb5eb",
            ),
            (
                "mbedtls_3.6.6.orig.tar.bz2",
                "8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a",
            ),
        ),
    ),
    # pico-sdk 2.2.0 does not go with this MicroPython.
    Package(
        "pico-sdk-source",
        "2.1.1-1",
        False,
        (
            (
                "pico-sdk-source_2.1.1-1_all.deb",
                "507a3ca37636641bc90239d7c04dc9dc28c5008087a8162102ea94d2273153d3",
            ),
        ),
    ),
    Package(
        "tinyusb-source",
        "0.18.0+dfsg-1",
        False,
        (
            (
                "tinyusb-source_0.18.0+dfsg-1_all.deb",
                "01ce2c645df68f14a8a7dcfc8fb355713152543757955820479a87949a61154e",
            ),
        ),
    ),
)

DEBIAN = Pinned("trixie", PACKAGES, "name an image with HRI_RUNTIME_RPI_PICO or HRI_RUNTIME_UNIX instead")


@dataclass(frozen=True, slots=True)
class Release:
    """An image that MicroPython's makers publish; at most ``size`` bytes, with that SHA-256 in hex."""

    url: str
    sha256: str
    size: int


# MicroPython publishes no hashes. This one is that of a public project which keeps the image as test data
# (BrianPugh/tamp, tests/test_dataset_regression.py); a file with another one is not used.
OFFICIAL = {
    "rpi_pico": Release(
        "https://micropython.org/resources/firmware/RPI_PICO-20250415-v1.25.0.uf2",
        "e0c40eacf1afc550a6add74888c48bb981b28788a6d75a62a0e2444e997b9864",
        2 << 20,
    ),
}

UNIX_OPTIONS = (
    "MICROPY_PY_BTREE=0",
    "MICROPY_SSL_AXTLS=0",
    "MICROPY_SSL_MBEDTLS=1",
    # Lets an SSLContext have its handshake signed outside, by a secure element.
    "MICROPY_PY_SSL_ECDSA_SIGN_ALT=1",
)
RP2_OPTIONS = (
    "-DMICROPY_BOARD=RPI_PICO",
    "-DPICO_NO_PICOTOOL=1",
    "-DPICO_BUILD_DOCS=0",
)
# No part of the key below: this image's own name has a key of its own (frozen.py).
RP2_FROZEN_OPTIONS = ("-DMICROPY_BOARD=HRI_RPI_PICO", *RP2_OPTIONS[1:])
# File in the tree, text, what replaces it. The unix port alone raises a keyboard interrupt out of the signal
# handler, wherever the program is, and dies of a second one. Boards schedule it, and with this so does unix.
PATCHES = (
    (
        "ports/unix/variants/mpconfigvariant_common.h",
        "#define MICROPY_ASYNC_KBD_INTR         (1)",
        "#define MICROPY_ASYNC_KBD_INTR         (0)",
    ),
    (
        "ports/unix/unix_mphal.c",
        "            // this is the second time we are called, so die straight away\n            exit(1);",
        "            return;",
    ),
)
# Only what is in the tree: the Debian source carries no micropython-lib.
UNIX_MANIFEST = 'include("$(MPY_DIR)/extmod/asyncio")\n'
RP2_MANIFEST = 'freeze("$(PORT_DIR)/modules")\ninclude("$(MPY_DIR)/extmod/asyncio")\n'


def cache_key() -> str:
    """Return twelve hex digits that change with any pinned version, file hash or build option."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        digest.update(repr([getattr(package, field.name) for field in fields(package)]).encode())
    build = (MICROPYTHON, SOURCE_DATE_EPOCH, UNIX_OPTIONS, RP2_OPTIONS, UNIX_MANIFEST, RP2_MANIFEST, PATCHES)
    digest.update(repr(build).encode())
    return digest.hexdigest()[:12]
