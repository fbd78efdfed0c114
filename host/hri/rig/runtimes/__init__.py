"""MicroPython images and tools for the virtual boards: found in the cache or built, never taken unchecked."""

from hri.rig.runtimes.cache import RuntimeUnavailableError, cache_root
from hri.rig.runtimes.find import RUNTIMES, build_runtimes, find_runtime
from hri.rig.runtimes.package import compile_package

__all__ = (
    "RUNTIMES",
    "RuntimeUnavailableError",
    "build_runtimes",
    "cache_root",
    "compile_package",
    "find_runtime",
)
