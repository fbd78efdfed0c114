"""SHA-1 (RFC 3174), for key identifiers alone, which are names: some boards' hashlib lacks it."""

_MASK = 0xFFFFFFFF


def sha1(data):
    """Return the 20 bytes of the hash of `data`."""
    data = data + b"\x80" + bytes((55 - len(data)) % 64) + (8 * len(data)).to_bytes(8, "big")
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0]
    for at in range(0, len(data), 64):
        words = [int.from_bytes(data[place : place + 4], "big") for place in range(at, at + 64, 4)]
        a, b, c, d, e = state
        for t in range(80):
            if t >= 16:
                words.append(_left(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1))
            if t < 20:
                f = (b & c | ~b & d) + 0x5A827999
            elif t < 40:
                f = (b ^ c ^ d) + 0x6ED9EBA1
            elif t < 60:
                f = (b & c | b & d | c & d) + 0x8F1BBCDC
            else:
                f = (b ^ c ^ d) + 0xCA62C1D6
            a, b, c, d, e = (_left(a, 5) + f + e + words[t]) & _MASK, a, _left(b, 30), c, d
        for place, word in enumerate((a, b, c, d, e)):
            state[place] = (state[place] + word) & _MASK
    return b"".join([word.to_bytes(4, "big") for word in state])


def _left(word, bits):
    return (word << bits | word >> 32 - bits) & _MASK
