"""Names and other fields of a leaf, its dates and its staples."""

import hashlib

import pem
from der import *
from keys import P256, RSA, key
from out import pair
from x509 import *

UID, STREET = "0.9.2342.19200300.100.1.1", "2.5.4.9"


def simple(title, **fields):
    """A leaf of the usual P-256 key but for these fields, and no chain."""
    made = leaf(**fields)
    pair(title, made.pem, made.key.pkcs8_pem)


def subjects():
    def named(title, subject, *names, **fields):
        simple(f"name-{title}", subject=subject, names=list(names), **fields)

    text, mail = "a.example", implicit(1, b"a@a.example")
    directory, uri = context(4, name("a")), implicit(6, b"spiffe://a/b")
    named("none", name())
    named("common-name-alone", name(text))
    named("empty-common-name", name(""))
    named("empty-common-name-and-san", name(""), dns(text))
    named("second-common-name-empty", name(text, ""))
    named("first-common-name-empty", name("", text))
    named("two-common-names", name(text, "b.example"))
    named("san-alone", name(), dns(text))
    named("san-critical", name(), extra=[san(dns(text), critical=TRUE)])
    for title, one in [("email", mail), ("directory", directory), ("uri", uri), ("ip", implicit(7, bytes([127, 0, 0, 1])))]:
        named(f"{title}-alone", name(), one)
        named(f"{title}-and-common-name", name(text), one)
    named("ip6-alone", name(), implicit(7, bytes(15) + b"\1"))
    named("ip-of-5-bytes", name(), implicit(7, bytes(5)))
    named("ip-of-5-bytes-and-dns", name(), implicit(7, bytes(5)), dns(text))
    other_name = context(0, oid("1.3.6.1.4.1.311.20.2.3"), context(0, utf8("a")))
    named("other-name-alone", name(), other_name)
    named("registered-id-alone", name(), implicit(8, read(oid("1.2.3"))[1]))
    named("dns-empty", name(), dns(""))
    named("dns-with-nul", name(), dns("a\0.example"))
    named("dns-not-ascii", name(), dns("ä.example"))
    named("dns-not-utf8", name(), dns(b"\xff.example"))
    named("dns-not-utf8-and-good", name(), dns(b"\xff.example"), dns(text))
    named("wildcard", name("*.a.example"), dns("*.a.example"))
    named("wildcard-common-name", name("*.a.example"))
    named("200-sans", name(text), *[dns(f"host-{number}.a.example") for number in range(200)])
    named("san-empty", name(), extra=[extension("2.5.29.17", sequence())])
    named("san-empty-and-common-name", name(text), extra=[extension("2.5.29.17", sequence())])
    named("san-broken", name(), extra=[extension("2.5.29.17", b"\x30\x05\x82")])
    named("san-broken-and-common-name", name(text), extra=[extension("2.5.29.17", b"\x30\x05\x82")])
    named("san-twice", name(), extra=[san(dns(text)), san(dns("b.example"))])
    named("san-twice-and-common-name", name(text), extra=[san(dns(text)), san(dns("b.example"))])
    common_names(named, text)


def common_names(named, text):
    for title, value in [
        ("invalid-utf8", utf8(b"\xff\xfe.example")),
        ("bmp", tlv(0x1E, text.encode("utf-16-be"))),
        ("bmp-odd", tlv(0x1E, b"\0a\0")),
        ("bmp-surrogate", tlv(0x1E, b"\xd8\0\0a")),
        ("universal", tlv(0x1C, text.encode("utf-32-be"))),
        ("teletex", tlv(0x14, text.encode())),
        ("teletex-latin1", tlv(0x14, "ä.example".encode("latin1"))),
        ("ia5", tlv(0x16, text.encode())),
        ("ia5-not-ascii", tlv(0x16, b"\xe4.example")),
        ("printable", tlv(0x13, text.encode())),
        ("printable-star", tlv(0x13, b"*.a_b@example")),
        ("numeric", tlv(0x12, b"12")),
        ("visible", tlv(0x1A, text.encode())),
        ("integer", integer(5)),
        ("octets", octets(b"a")),
        ("sequence", sequence(utf8("a"))),
        ("nul", utf8("a.example\0.evil.example")),
        ("nul-alone", utf8("\0")),
        ("blank", utf8(" ")),
        ("utf8", utf8("münchen.example")),
        ("65-characters", utf8("a" * 65)),
        ("empty-printable", tlv(0x13)),
        ("empty-bmp", tlv(0x1E)),
    ]:
        named(f"common-name-{title}", name(value))
        if title in ("invalid-utf8", "bmp", "nul", "integer", "empty-printable", "bmp-odd"):
            named(f"common-name-{title}-and-san", name(value), dns(text))
    both = sequence(set_of(sequence(oid("2.5.4.3"), utf8(text)), sequence(oid(UID), utf8("a"))))
    named("two-attributes-in-one", both)
    named("other-attributes-alone", sequence(attribute(STREET, utf8("a"))))
    named("other-attribute-empty", sequence(attribute(STREET, utf8("")), common_name(text)))
    named("subject-broken", tlv(0x30, b"\x31\x05\x30"))


def oddities():
    for digest in ("md5", "sha1"):
        issuer = authority(f"Test {digest}", key(RSA, 1))
        simple(f"certificate-{digest}-rsa", issuer=issuer, digest=digest)
    simple("certificate-sha1-ecdsa", digest="sha1")
    issuer = authority("Test PSS", key(RSA, 1))
    simple("certificate-rsa-pss-signature", issuer=issuer, algorithm=PSS, options=PSS_OPTIONS)
    simple("certificate-ed448-signature", issuer=authority("Test Ed448", key("ED448", 1)))
    serials = {"negative": b"\x85", "not-minimal": b"\0\x05", "not-minimal-negative": b"\xff\x85", "zero": b"\0"}
    for title, serial in {**serials, "empty": b"", "21-bytes": b"\x01" * 21, "high-bit": b"\0\x85"}.items():
        simple(f"certificate-serial-{title}", serial=serial)
    one, explicit = b"", context(0, integer(0))
    simple("certificate-v1", version=one, names=[])
    simple("certificate-v1-extensions", version=one)
    simple("certificate-v1-explicit", version=explicit, names=[])
    simple("certificate-v2", version=context(0, integer(1)), names=[])
    simple("certificate-v2-extensions", version=context(0, integer(1)))
    simple("certificate-v2-unique-id", version=context(0, integer(1)), names=[], unique=implicit(1, b"\0\1"))
    simple("certificate-v1-unique-id", version=one, names=[], unique=implicit(1, b"\0\1"))
    simple("certificate-v3-unique-id", unique=implicit(1, b"\0\1"))
    simple("certificate-v4", version=context(0, integer(3)))
    simple("certificate-self-signed", issuer=None)
    simple("certificate-bad-signature", damage=lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]))
    simple("certificate-other-outer-algorithm", outer=ALGORITHMS["EC", "sha512"])
    simple("certificate-unknown-algorithm", algorithm=sequence(oid("1.2.3.4")))
    extensions()
    encodings_of_a_certificate()


def extensions():
    def extended(title, *extra, **fields):
        simple(f"extension-{title}", extra=extra, **fields)

    rsa = key(RSA)
    extended("usage-good", key_usage(0, 4))
    extended("usage-lacks-signature-ec", key_usage(4))
    extended("usage-lacks-signature-rsa", key_usage(2), own=rsa)
    extended("usage-lacks-signature-ed25519", key_usage(4), own=key("ED25519"))
    extended("usage-empty", key_usage())
    extended("usage-empty-bits", extension("2.5.29.15", bits(b"\0"), TRUE))
    extended("usage-broken-ec", extension("2.5.29.15", b"\3\5\0"))
    extended("usage-broken-rsa", extension("2.5.29.15", b"\3\5\0"), own=rsa)
    extended("usage-bad-padding", extension("2.5.29.15", bits(b"\x81", 7), TRUE))
    extended("usage-trailing-bytes", extension("2.5.29.15", bits(b"\x80", 7) + b"\0", TRUE))
    extended("usage-twice", key_usage(0), key_usage(4))
    extended("usage-twice-lacking-first", key_usage(4), key_usage(0))
    extended("authority", basic_constraints(True))
    extended("authority-broken", extension("2.5.29.19", b"\x30\x05"))
    extended("client-only", extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.2"))))
    extended("purpose-empty", extension("2.5.29.37", sequence()))
    extended("unknown-critical", extension("1.2.3.4.5", NULL, TRUE))
    extended("unknown-twice", extension("1.2.3.4.5", NULL), extension("1.2.3.4.5", NULL))
    extended("critical-false-written", extension("1.2.3.4.5", NULL, tlv(1, b"\0")))
    extended("critical-not-der", extension("1.2.3.4.5", NULL, tlv(1, b"\1")))
    extended("empty-value", extension("1.2.3.4.5", b""))
    extended("name-constraints-broken", extension("2.5.29.30", b"\x30\x05", TRUE))
    extended("policies-broken", extension("2.5.29.32", b"\x30\x05"))
    extended("key-identifier-broken", extension("2.5.29.35", b"\x30\x05"))
    extended("scts-broken", extension("1.3.6.1.4.1.11129.2.4.2", b"\x04\x01\0"))
    simple("extension-none-in-list", extensions=context(3, sequence()))


def encodings_of_a_certificate():
    whole = leaf()
    own = whole.key.pkcs8_pem

    def der(title, changed):
        pair(f"der-{title}", pem.block("CERTIFICATE", changed), own)

    der("trailing-bytes", whole.der + b"\0")
    der("cut-off", whole.der[:-1])
    tbs, algorithm, signature = children(whole.der)
    body = tbs + algorithm + signature
    der("long-length", b"\x30\x83" + len(body).to_bytes(3, "big") + body)
    der("indefinite-length", b"\x30\x80" + body + b"\0\0")
    der("extra-field", sequence(tbs, algorithm, signature, NULL))
    for title, last in (("zero", 0), ("one", 1)):
        other = leaf_that(lambda der: der[-1] & 1 == last)
        *signed, signature = children(other.der)
        der(f"signature-unused-bit-{title}", sequence(*signed, bits(read(signature)[1][1:], 1)))
    der("signature-empty", sequence(tbs, algorithm, bits(b"")))
    der("empty", b"")
    der("garbage", b"\xff" * 40)
    der("key-instead", whole.key.pkcs8)


def dates():
    simple("date-expired", dates=("20200101", "20210101"))
    simple("date-not-yet-valid", dates=("21200101", LONG))
    simple("date-backwards", dates=("21200101", GOOD))
    simple("date-9999", dates=(GOOD, "99991231"))
    simple("date-generalized-before-2050", validity=sequence(generalized(GOOD), generalized("20400101")))
    start, end = tlv(0x17, b"240101000000Z"), generalized(LONG)
    for title, value in [
        ("without-seconds", tlv(0x17, b"2401010000Z")),
        ("offset", tlv(0x17, b"240101000000+0100")),
        ("without-z", tlv(0x17, b"240101000000")),
        ("month-13", tlv(0x17, b"241301000000Z")),
        ("february-30", tlv(0x17, b"240230000000Z")),
        ("second-60", tlv(0x17, b"240101000060Z")),
        ("hour-24", tlv(0x17, b"240101240000Z")),
        ("letters", tlv(0x17, b"24010100000xZ")),
        ("empty", tlv(0x17)),
        ("fraction", tlv(0x18, b"20240101000000.5Z")),
        ("integer", integer(5)),
    ]:
        simple(f"date-{title}", validity=sequence(value, end))
    simple("date-end-february-30", validity=sequence(start, tlv(0x18, b"21260230000000Z")))
    simple("date-end-without-z", validity=sequence(start, tlv(0x18, b"21260201000000")))


def staples():
    plain, demanding = leaf(), leaf(extra=[MUST_STAPLE])
    features = "1.3.6.1.5.5.7.1.24"

    def stapled(title, certificate, response):
        pair(f"staple-{title}", certificate.pem, certificate.key.pkcs8_pem, response)

    past = {"since": "20200101", "until": "20210101"}
    good = staple(single(plain))
    stapled("good", plain, good)
    stapled("good-by-name", plain, staple(single(plain), by_name=True))
    stapled("version-written", plain, staple(single(plain), version=context(0, integer(0))))
    stapled("extensions", plain, staple(single(plain), extra=context(1, sequence(extension("1.2.3", NULL)))))
    stapled("without-next-update", plain, staple(single(plain, until=None)))
    stapled("expired", plain, staple(single(plain, **past)))
    stapled("not-yet-valid", plain, staple(single(plain, since="21200101")))
    stapled("another-leaf", plain, staple(single(demanding)))
    stapled("two-answers", plain, staple(single(plain), single(demanding)))
    stapled("two-answers-own-second", plain, staple(single(demanding), single(plain)))
    stapled("no-answer", plain, staple())
    stapled("revoked", plain, staple(single(plain, status=REVOKED)))
    stapled("unknown", plain, staple(single(plain, status=UNKNOWN)))
    stapled("odd-state", plain, staple(single(plain, status=context(0))))
    other = good.replace(context(2, octets(hashlib.sha1(MIDDLE.key.spki).digest())), context(3, octets(bytes(20))))
    stapled("odd-responder", plain, other)
    stapled("status-try-later", plain, staple(status=3))
    stapled("garbage", plain, b"garbage")
    stapled("empty", plain, b"")
    stapled("pem", plain, pem.block("OCSP RESPONSE", good))
    stapled("trailing-bytes", plain, good + b"\0")
    stapled("cut-off", plain, good[:-1])
    stapled("other-type", plain, good.replace(oid("1.3.6.1.5.5.7.48.1.1"), oid("1.3.6.1.5.5.7.48.1.2")))
    fraction = context(0, tlv(0x18, b"21260101000000.5Z"))
    stapled("fraction-of-a-second", plain, staple(single(plain, next_update=fraction)))
    stapled("month-13", plain, staple(single(plain, next_update=context(0, tlv(0x18, b"21261301000000Z")))))
    stapled("another-authority", plain, staple(single(plain, issuer=OTHER)))
    for title, response in [
        ("good", staple(single(demanding))),
        ("none", None),
        ("empty", b""),
        ("expired", staple(single(demanding, **past))),
        ("without-next-update", staple(single(demanding, until=None))),
        ("not-yet-valid", staple(single(demanding, since="21200101"))),
        ("garbage", b"garbage"),
        ("another-leaf", staple(single(plain))),
        ("revoked", staple(single(demanding, status=REVOKED))),
    ]:
        stapled(f"demanded-{title}", demanding, response)
    both = leaf(extra=[extension(features, sequence(integer(5), integer(17)))])
    stapled("demanded-among-others-none", both, None)
    stapled("demanded-among-others-expired", both, staple(single(both, **past)))
    stapled("version-2-alone-none", leaf(extra=[extension(features, sequence(integer(17)))]), None)


def make():
    for part in (subjects, oddities, dates, staples):
        part()
