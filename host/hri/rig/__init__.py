"""Virtual secure elements, virtual boards and the I2C bus between them.

Nothing here is shared with ``firmware/`` or with :mod:`hri.verify`: a virtual chip that borrowed the
driver's or the verifier's code would prove nothing about either.
"""
