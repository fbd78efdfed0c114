"""A second, table-driven reading of the ATECC608's access rules, and random sequences to test a chip by."""
