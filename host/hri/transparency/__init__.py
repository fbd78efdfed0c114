"""The Merkle log of every certificate: hashing and proofs (RFC 6962), leaves, tiles (C2SP tlog-tiles).

Pure bytes. The rows are in `hri.registry.merkle_log`; formats and guarantees in docs/log.md.
"""
