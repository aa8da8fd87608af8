"""Certificates, revocation lists and OCSP responses, every field of which can be wrong."""

import hashlib
import itertools

import pem
from der import *
from keys import P256, key

GOOD, LONG = "20240101", "21260101"
SERIALS = itertools.count(0x5EA1_0001)

ALGORITHMS = {
    ("RSA", "md5"): sequence(oid("1.2.840.113549.1.1.4"), NULL),
    ("RSA", "sha1"): sequence(oid("1.2.840.113549.1.1.5"), NULL),
    ("RSA", "sha256"): sequence(oid("1.2.840.113549.1.1.11"), NULL),
    ("EC", "sha1"): sequence(oid("1.2.840.10045.4.1")),
    ("EC", "sha256"): sequence(oid("1.2.840.10045.4.3.2")),
    ("EC", "sha512"): sequence(oid("1.2.840.10045.4.3.4")),
    ("ED25519", None): sequence(oid("1.3.101.112")),
    ("ED448", None): sequence(oid("1.3.101.113")),
}
SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"), NULL)
PSS = sequence(
    oid("1.2.840.113549.1.1.10"),
    sequence(
        context(0, SHA256),
        context(1, sequence(oid("1.2.840.113549.1.1.8"), SHA256)),
        context(2, integer(32)),
    ),
)
PSS_OPTIONS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sigopt", "rsa_mgf1_md:sha256"]


def attribute(type_, value):
    return set_of(sequence(oid(type_), value))


def common_name(value):
    return attribute("2.5.4.3", value if isinstance(value, bytes) else utf8(value))


def name(*common_names):
    """A subject; each argument is a common name, or an encoded value of one."""
    return sequence(*map(common_name, common_names))


def dns(text):
    return implicit(2, text if isinstance(text, bytes) else text.encode())


def extension(type_, value, critical=b""):
    return sequence(oid(type_), critical, octets(value))


def san(*names, critical=b""):
    return extension("2.5.29.17", sequence(*names), critical)


def key_usage(*numbers):
    """Bit numbers: 0 is digitalSignature, 2 keyEncipherment, 4 keyAgreement, 5 keyCertSign, 6 cRLSign."""
    value = sum(0x80 >> number for number in numbers)
    unused = (value & -value).bit_length() - 1 if value else 0
    return extension("2.5.29.15", bits(bytes([value]) if value else b"", unused), TRUE)


def basic_constraints(is_ca):
    return extension("2.5.29.19", sequence(TRUE if is_ca else b""), TRUE)


MUST_STAPLE = extension("1.3.6.1.5.5.7.1.24", sequence(integer(5)))


class Certificate:
    """Signed by `issuer`, or by itself."""

    def __init__(
        self,
        own=None,
        subject=None,
        names=None,
        extra=(),
        issuer=None,
        serial=None,
        version=context(0, integer(2)),
        dates=(GOOD, LONG),
        validity=None,
        digest="sha256",
        algorithm=None,
        outer=None,
        spki=None,
        unique=b"",
        extensions=None,
        options=(),
        damage=lambda signature: signature,
    ):
        self.key = own or key(P256)
        self.subject = name("test.example") if subject is None else subject
        self.serial = next(SERIALS) if serial is None else serial
        signer = issuer or self
        kind = signer.key.path.name.split("-")[0]
        digest = None if kind.startswith("ED") else digest
        algorithm = algorithm or ALGORITHMS[kind, digest]
        if extensions is None:
            found = ([san(dns("test.example"))] if names is None else [san(*names)] if names else []) + list(extra)
            extensions = context(3, sequence(*found)) if found else b""
        self.tbs = sequence(
            version,
            integer(self.serial),
            algorithm,
            signer.subject,
            validity or sequence(*map(time, dates)),
            self.subject,
            spki or self.key.spki,
            unique,
            extensions,
        )
        signature = damage(signer.key.sign(self.tbs, digest, *options))
        self.der = sequence(self.tbs, outer or algorithm, bits(signature))
        self.pem = pem.block("CERTIFICATE", self.der)


def authority(title, own, issuer=None, **other):
    other.setdefault("extra", [basic_constraints(True), key_usage(5, 6)])
    return Certificate(own, subject=name(title), names=[], issuer=issuer, **other)


ROOT = authority("Sealgate Test Root", key(P256, 1))
MIDDLE = authority("Sealgate Test Intermediate", key(P256, 2), ROOT)
OTHER = authority("Another Test Root", key(P256, 3))


def leaf(own=None, issuer=MIDDLE, **other):
    return Certificate(own, issuer=issuer, **other)


def leaf_that(is_so, **other):
    """Signatures differ in length and bits each time: one that is as a material needs it."""
    return next(made for made in iter(lambda: leaf(**other), None) if is_so(made.der))


def revocations(
    issuer=ROOT, revoked=(), until=LONG, number=1, digest="sha256", algorithm=None, options=(), signer=None, v2=True
):
    """A revocation list."""
    signer = signer or issuer
    kind = signer.key.path.name.split("-")[0]
    digest = None if kind.startswith("ED") else digest
    algorithm = algorithm or ALGORITHMS[kind, digest]
    entries = [sequence(integer(serial), time(GOOD)) for serial in revoked]
    tbs = sequence(
        integer(1) if v2 else b"",
        algorithm,
        issuer.subject,
        time("20200101" if until and until < GOOD else GOOD),
        time(until) if until else b"",
        sequence(*entries) if entries else b"",
        context(0, sequence(extension("2.5.29.20", integer(number)))) if v2 else b"",
    )
    return sequence(tbs, algorithm, bits(signer.key.sign(tbs, digest, *options)))


GOOD_STATUS, UNKNOWN = implicit(0), implicit(2)
REVOKED = context(1, generalized(GOOD))


def single(certificate, status=GOOD_STATUS, since=GOOD, until=LONG, next_update=None, issuer=MIDDLE):
    """One certificate's state."""
    issuer_key = children(issuer.key.spki)[1]
    number = certificate if isinstance(certificate, int) else certificate.serial
    identity = sequence(
        sequence(oid("1.3.14.3.2.26"), NULL),
        octets(hashlib.sha1(issuer.subject).digest()),
        octets(hashlib.sha1(read(issuer_key)[1][1:]).digest()),
        integer(number),
    )
    if next_update is None:
        next_update = context(0, generalized(until)) if until else b""
    return sequence(identity, status, generalized(since), next_update)


def staple(*singles, status=0, by_name=False, issuer=MIDDLE, version=b"", extra=b""):
    """An OCSP response."""
    if status:
        return sequence(tlv(0x0A, bytes([status])))
    responder = context(1, issuer.subject) if by_name else context(2, octets(hashlib.sha1(issuer.key.spki).digest()))
    data = sequence(version, responder, generalized(GOOD), sequence(*singles), extra)
    basic = sequence(data, ALGORITHMS["EC", "sha256"], bits(issuer.key.sign(data, "sha256")))
    return sequence(
        tlv(0x0A, b"\0"), context(0, sequence(oid("1.3.6.1.5.5.7.48.1.1"), octets(basic)))
    )
