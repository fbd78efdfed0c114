"""The certification authority: keys on disk, profiles, checked requests, issuance and revocation lists."""
