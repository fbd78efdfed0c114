"""Tests of a project's own firmware, on virtual boards or on real ones (docs/testing.md).

`plugin` is the pytest plugin. Nothing here is imported before a test asks for a board.
"""
