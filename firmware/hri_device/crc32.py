"""CRC-32 for a build that leaves it out of binascii."""


def crc32(data):
    """Return the CRC-32 of IEEE 802.3."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
