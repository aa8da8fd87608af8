"""Just enough DER to write certificates that no tool would."""


def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def sequence(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *parts)


def octets(*parts):
    return tlv(0x04, *parts)


def bits(content, unused=0):
    return tlv(0x03, bytes([unused]), content)


def context(number, *parts):
    """Constructed."""
    return tlv(0xA0 | number, *parts)


def implicit(number, *parts):
    """Primitive."""
    return tlv(0x80 | number, *parts)


def integer(value):
    """A number, or its bytes as they are to stand there."""
    if isinstance(value, int):
        value = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    return tlv(0x02, value)


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = b""
    for arc in [first * 40 + second, *rest]:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        out += bytes(reversed(groups))
    return tlv(0x06, out)


def utf8(text):
    return tlv(0x0C, text if isinstance(text, bytes) else text.encode())


def time(text):
    """`YYYYMMDD`, as RFC 5280 wants it: a UTCTime until 2049."""
    if text[:4] < "2050":
        return tlv(0x17, text[2:].encode(), b"000000Z")
    return generalized(text)


def generalized(text):
    return tlv(0x18, text.encode(), b"000000Z")


NULL = tlv(0x05)
TRUE = tlv(0x01, b"\xff")


def read(data, offset=0):
    """The tag, content and end of the value at an offset."""
    tag, length, start = data[offset], data[offset + 1], offset + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    return tag, data[start : start + length], start + length


def children(data):
    """The encoded values within the one value `data`."""
    _, body, _ = read(data)
    out, offset = [], 0
    while offset < len(body):
        end = read(body, offset)[2]
        out.append(body[offset:end])
        offset = end
    return out
