"""`python -m hri.cli`."""

from hri.cli import main

main()
