"""Kinds of keys, and how a key can be written."""

import base64

import pem
from der import *
from keys import P256, RSA, key
from leaves import simple
from out import pair
from x509 import *

PRIVATE, RSA_LABEL, EC_LABEL = "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"


def kinds():
    for size in (1024, 2040, 2048, 2056, 3072, 4096, 8192, 8200):
        simple(f"key-rsa-{size}", own=key(f"RSA:{size}"))
    simple("key-rsa-exponent-3", own=key("RSA:2048:3"))
    simple("key-rsa-exponent-40-bits", own=key("RSA:2048:1099511627791"))
    curves = ["prime192v1", "secp224r1", "prime256v1", "secp384r1", "secp521r1", "secp256k1"]
    for curve in [*curves, "brainpoolP256r1", "brainpoolP384r1", "SM2"]:
        simple(f"key-ec-{curve.lower()}", own=key(f"EC:{curve}"))
    for other in ["ED25519", "ED448", "X25519", "DSA", "RSA-PSS:2048"]:
        simple(f"key-{other.lower().replace(':', '-')}", own=key(other))
    simple("key-ec-explicit", own=key("EC:prime256v1:explicit"))
    own = key(P256)
    explicit = key("EC:prime256v1:explicit", 1)
    named = spki_of(EC_P256, children(explicit.spki)[1])
    pair("key-ec-explicit-in-key-alone", leaf(explicit, spki=named).pem, explicit.pkcs8_pem)
    point = read(children(own.spki)[1])[1][1:]
    short = bytes([2 + point[-1] % 2]) + point[1:33]
    simple("key-ec-compressed-point", spki=spki_of(EC_P256, bits(short)))
    simple("key-rsa-without-null", own=key(RSA), spki=spki_of(sequence(oid(RSA_ID)), children(key(RSA).spki)[1]))


EC_ID, RSA_ID = "1.2.840.10045.2.1", "1.2.840.113549.1.1.1"
EC_P256 = sequence(oid(EC_ID), oid("1.2.840.10045.3.1.7"))
EC_P384 = sequence(oid(EC_ID), oid("1.3.132.0.34"))


def spki_of(algorithm, public):
    return sequence(algorithm, public)


def encodings():
    rsa, ec, ed = key(RSA), key(P256), key("ED25519")
    certificates = {own: leaf(own).pem for own in (rsa, ec, ed)}

    def encoded(title, own, *blocks):
        text = "".join(part if isinstance(part, str) else pem.block(*part) for part in blocks)
        pair(f"encoding-{title}", certificates[own], text)

    for label in (PRIVATE, RSA_LABEL, EC_LABEL):
        under = label.split()[0].lower()
        encoded(f"rsa-pkcs1-under-{under}", rsa, (label, rsa.traditional))
        encoded(f"rsa-pkcs8-under-{under}", rsa, (label, rsa.pkcs8))
        encoded(f"ec-sec1-under-{under}", ec, (label, ec.traditional))
        encoded(f"ec-pkcs8-under-{under}", ec, (label, ec.pkcs8))
        encoded(f"ed25519-under-{under}", ed, (label, ed.pkcs8))
    for label in ("ANY PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PUBLIC KEY"):
        encoded(f"under-{label.lower().replace(' ', '-')}-label", ec, (label, ec.pkcs8))
    encoded("under-private-key-small", ec, ("private key", ec.pkcs8))
    encoded("encrypted-pkcs8", rsa, rsa.encrypted())
    encoded("encrypted-traditional-rsa", rsa, rsa.encrypted("-traditional"))
    encoded("encrypted-traditional-ec", ec, ec.encrypted("-traditional"))
    encoded("encrypted-named-in-a-comment", ec, "was: BEGIN ENCRYPTED PRIVATE KEY\n", ec.pkcs8_pem)
    encoded("encrypted-second", ec, ec.pkcs8_pem, ec.encrypted())
    structures(encoded, rsa, ec, ed)
    files(encoded, rsa, ec)
    damaged(encoded, rsa, ec, ed)


def structures(encoded, rsa, ec, ed):
    version, algorithm, private = children(ed.pkcs8)[:3]
    public = read(children(ed.spki)[1])[1]
    v2 = sequence(integer(1), algorithm, private, implicit(1, public))
    encoded("ed25519-version-2", ed, (PRIVATE, v2))
    encoded("ed25519-version-2-wrong-public", ed, (PRIVATE, v2[:-1] + bytes([v2[-1] ^ 1])))
    encoded("ed25519-attributes", ed, (PRIVATE, sequence(version, algorithm, private, context(0))))
    encoded("ed25519-short", ed, (PRIVATE, sequence(version, algorithm, octets(octets(bytes(31))))))
    one, scalar, parameters, point = children(ec.traditional)
    encoded("sec1-without-public", ec, (EC_LABEL, sequence(one, scalar, parameters)))
    encoded("sec1-without-parameters", ec, (EC_LABEL, sequence(one, scalar, point)))
    encoded("sec1-bare", ec, (EC_LABEL, sequence(one, scalar)))
    zero, algorithm, _ = children(ec.pkcs8)
    encoded("pkcs8-ec-without-public", ec, (PRIVATE, sequence(zero, algorithm, octets(sequence(one, scalar)))))
    encoded("pkcs8-ec-inner-parameters", ec, (PRIVATE, sequence(zero, algorithm, octets(ec.traditional))))
    wrong = sequence(one, scalar, context(0, oid("1.3.132.0.34")), point)
    encoded("pkcs8-ec-inner-parameters-differ", ec, (PRIVATE, sequence(zero, algorithm, octets(wrong))))
    attributes = context(0, sequence(oid("2.5.29.15"), set_of(bits(b"\x80", 7))))
    encoded("pkcs8-attributes", ec, (PRIVATE, sequence(*children(ec.pkcs8), attributes)))
    padded = octets(b"\0" + read(scalar)[1])
    encoded("sec1-scalar-33-bytes", ec, (EC_LABEL, sequence(one, padded, parameters, point)))
    zero, _, inner = children(rsa.pkcs8)
    bare = sequence(oid(RSA_ID))
    encoded("pkcs8-rsa-without-null", rsa, (PRIVATE, sequence(zero, bare, inner)))
    encoded("pkcs8-version-1", rsa, (PRIVATE, sequence(integer(1), *children(rsa.pkcs8)[1:])))


def files(encoded, rsa, ec):
    encoded("ec-parameters-first", ec, ("EC PARAMETERS", oid("1.2.840.10045.3.1.7")), (EC_LABEL, ec.traditional))
    encoded("ec-parameters-alone", ec, ("EC PARAMETERS", oid("1.2.840.10045.3.1.7")))
    encoded("then-certificate", ec, ec.pkcs8_pem, leaf(ec).pem)
    encoded("after-certificate", ec, leaf(ec).pem, ec.pkcs8_pem)
    encoded("key-twice", ec, ec.pkcs8_pem, ec.pkcs8_pem)
    encoded("two-keys", ec, ec.pkcs8_pem, rsa.pkcs8_pem)
    encoded("two-keys-other-first", ec, rsa.pkcs8_pem, ec.pkcs8_pem)
    encoded("bad-later-block", ec, ec.pkcs8_pem, "-----BEGIN CERTIFICATE-----\nAAAA\n")
    encoded("not-base64-later-block", ec, ec.pkcs8_pem, "-----BEGIN X-----\n????\n-----END X-----\n")
    encoded("crlf", ec, ec.pkcs8_pem.replace("\n", "\r\n"))
    encoded("byte-order-mark", ec, "\ufeff", ec.pkcs8_pem)
    encoded("indented", ec, "".join(f"  {line}\n" for line in ec.pkcs8_pem.splitlines()))
    encoded("text-around", ec, "the key:\n", ec.pkcs8_pem, "and no more\n")
    encoded("one-line", rsa, pem.block(PRIVATE, rsa.pkcs8, 10**6))
    encoded("blank-lines", ec, ec.pkcs8_pem.replace("\n", "\n\n"))
    encoded("empty-block", ec, (PRIVATE, b""))
    encoded("cut-off", ec, ec.pkcs8_pem[:100])
    encoded("without-last-newline", ec, ec.pkcs8_pem.rstrip())
    encoded("not-pem", ec, base64.b64encode(ec.pkcs8).decode())
    pair("encoding-der", leaf(ec).pem, ec.pkcs8)
    encoded("trailing-bytes", ec, (PRIVATE, ec.pkcs8 + b"\0"))
    encoded("trailing-bytes-sec1", ec, (EC_LABEL, ec.traditional + b"\0"))


def damaged(encoded, rsa, ec, ed):
    numbers = children(rsa.traditional)

    def with_number(place, change):
        own = list(numbers)
        own[place] = integer(change(int.from_bytes(read(own[place])[1], "big")))
        return sequence(*own)

    for place, part in [(2, "exponent"), (3, "private-exponent"), (4, "prime"), (6, "crt-exponent"), (8, "coefficient")]:
        encoded(f"rsa-wrong-{part}", rsa, (RSA_LABEL, with_number(place, lambda number: number ^ 8)))
    encoded("rsa-primes-swapped", rsa, (RSA_LABEL, sequence(*numbers[:4], numbers[5], numbers[4], *numbers[6:])))
    one, scalar, parameters, point = children(ec.traditional)
    other = children(key(P256, 9).traditional)[3]
    encoded("ec-another-public", ec, (EC_LABEL, sequence(one, scalar, parameters, other)))
    encoded("ec-scalar-zero", ec, (EC_LABEL, sequence(one, octets(bytes(32)), parameters)))
    encoded("ec-scalar-too-large", ec, (EC_LABEL, sequence(one, octets(b"\xff" * 32), parameters)))
    encoded("ec-half", ec, (EC_LABEL, ec.traditional[:60]))


def make():
    kinds()
    encodings()
