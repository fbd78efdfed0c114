"""Pure decisions: no clock, no network, no database; everything they depend on comes in as an argument.

- `decision`: what a decision is
- `answer`: did this key answer this challenge?
- `path`: does this certificate count, here and now, for this purpose and this device?
  - `leaf`: the rules for a device's own certificate
  - `path_rules`, `name_constraints`, `certificate_policies`: the rules for any path to an anchor
  - `revocation`: the policy, and all that is said of a certificate put together
  - `crl`, `ocsp`, `finding`: what one list or response says of it
  - `trust`: anchors, issuing CAs and lists, made ready once
  - `signatures`, `extensions`: which signatures count; one extension of a certificate
- `authentication`: is this really device X, and is it still trusted?
- `attestation`, `proof_rules`, `atecc608`, `endorsement`: does this key live in a chip?
- `chip_chain`: does a chip's own chain lead to a root that the operator named?
- `cose`: the envelope of everything a device signs

The rules on certificates, in the order in which they are asked, are in docs/path-validation.md.
"""
