"""What differs between runtimes: the I2C bus, the console's byte stream, the clock, the reset cause."""

# Each port of MicroPython has some of these constants, and some share a value: the first name wins.
_CAUSES = (
    ("PWRON_RESET", "power-on"),
    ("HARD_RESET", "hard reset"),
    ("WDT_RESET", "watchdog"),
    ("DEEPSLEEP_RESET", "deep sleep"),
    ("SOFT_RESET", "soft reset"),
)


def reset_words(machine):
    """Return the words for machine.reset_cause(), of a module shaped as MicroPython's machine."""
    value = machine.reset_cause()
    for name, words in _CAUSES:
        if getattr(machine, name, None) == value:
            return words
    return "unknown"
