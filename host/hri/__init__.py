"""Hardware rooted identity: the host side."""
