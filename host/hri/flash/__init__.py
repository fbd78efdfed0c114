"""Puts a runtime and the device package onto a board, so that it always boots a whole version of it."""

from hri.flash.install import Check, Installed, Installer
from hri.flash.package import FlashPackage, Manifest, build_package
from hri.flash.repl import Repl, SerialRepl
from hri.flash.runtime import install_runtime

__all__ = (
    "Check",
    "FlashPackage",
    "Installed",
    "Installer",
    "Manifest",
    "Repl",
    "SerialRepl",
    "build_package",
    "install_runtime",
)
