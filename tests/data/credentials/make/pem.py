"""PEM."""

import base64


def block(label, der, width=64):
    body = base64.b64encode(der).decode()
    lines = [body[at : at + width] for at in range(0, len(body), width)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def decode(text):
    """The first block."""
    body = text.split("-----\n", 1)[1].split("-----END", 1)[0]
    return base64.b64decode(body)
