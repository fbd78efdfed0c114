"""The audit log: every act, with who did it and why, in a chain of hashes.

Pure bytes. The rows are in `hri.registry.audit_log`; formats and guarantees in docs/log.md.
"""
