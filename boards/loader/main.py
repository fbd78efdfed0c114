"""Starts the version of the device package that fw/current names; without one, the frozen version."""

import sys


def _slot():
    # FAT removes a file before another is renamed onto it. Where a cut of the power came in between, only
    # fw/next is left, which was whole by then.
    for name in ("fw/current", "fw/next"):
        try:
            with open(name) as file:
                return file.read(1)
        except OSError:
            pass
    return ""


def _main():
    slot = _slot()
    if slot:
        sys.path.insert(0, "/fw/" + slot)
    import hri_main

    hri_main.main()


if __name__ == "__main__":
    try:
        _main()
    except KeyboardInterrupt:
        print("hri_device: stopped; a soft reset (Ctrl-D) starts it again")
