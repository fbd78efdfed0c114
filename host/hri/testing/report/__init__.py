"""The report of a run: what was tested on which board, signed so that it can be kept as evidence."""
