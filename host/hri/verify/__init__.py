"""Pure decisions: no clock, no network, no database; everything they depend on comes in as an argument.

- `decision`: what a decision is
- `answer`: did this key answer this challenge?
- `leaf`, `trust`, `path`, `revocation`: does this certificate count, here and now?
- `authentication`: is this really device X, and is it still trusted?
- `attestation`, `proof_rules`, `atecc608`, `endorsement`: does this key live in a chip?
"""
