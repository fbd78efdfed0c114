"""The history of the registry's tables, one script a version."""
