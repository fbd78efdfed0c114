"""Secure elements as the host sees them."""
