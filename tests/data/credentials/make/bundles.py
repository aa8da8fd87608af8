"""Trust bundles and revocation lists, and the client that each would let in."""

import pem
from der import *
from keys import P256, P384, RSA, key
from out import CASES, bundle
from x509 import *

PAST = ("20200101", "20210101")


def client(issuer, **fields):
    return Certificate(key(P256, 20), name("client"), [dns("client.example")], issuer=issuer, **fields)


COMMON = client(ROOT)


class Chained:
    """A client that shows its intermediate too."""

    key = COMMON.key
    pem = client(MIDDLE).pem + MIDDLE.pem


def trust():
    old = authority("Old Root", key(P256, 6), dates=PAST)
    root = ROOT.pem

    def text(title, authorities, client=None):
        bundle(f"bundle-{title}", authorities, client=client)

    text("one", root)
    text("two", OTHER.pem + root)
    text("intermediate-client", root, client=Chained)
    text("intermediate-alone", MIDDLE.pem, client=client(MIDDLE))
    text("root-and-intermediate", root + MIDDLE.pem, client=client(MIDDLE))
    text("same-twice", root + root)
    text("same-key-two-certificates", root + authority("Sealgate Test Root", key(P256, 1)).pem)
    text("all-expired", old.pem, client=client(old))
    text("some-expired", old.pem + root)
    text("some-expired-its-client", old.pem + root, client=client(old))
    text("not-yet-valid", authority("New Root", key(P256, 7), dates=("21200101", LONG)).pem)
    text("some-not-yet-valid", root + authority("New Root", key(P256, 7), dates=("21200101", LONG)).pem)
    text("another-root", OTHER.pem)
    text("leaf", COMMON.pem)
    text("leaf-self-signed", Certificate(key(P256, 20), name("client")).pem, client=SELF)
    text("bad-block", root + pem.block("CERTIFICATE", b"garbage"))
    text("bad-block-first", pem.block("CERTIFICATE", b"garbage") + root)
    text("not-base64-block", root + "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n")
    text("cut-off", root + OTHER.pem[:200])
    text("trailing-bytes-in-block", root + pem.block("CERTIFICATE", OTHER.der + b"\0"))
    text("bad-serial", root + authority("Odd", key(P256, 6), serial=b"\0\5").pem)
    text("empty", "")
    text("blank", "\n")
    text("garbage", "garbage")
    text("der", ROOT.der)
    text("text-around", f"# the root\n{root}# the end\n")
    text("crlf", root.replace("\n", "\r\n"))
    text("byte-order-mark", "\ufeff" + root)
    text("indented", "".join(f"  {line}\n" for line in root.splitlines()))
    text("joined", OTHER.pem.rstrip() + root)
    text("key-within", root + OTHER.key.pkcs8_pem)
    text("bad-key-within", root + pem.block("RSA PRIVATE KEY", b"garbage"))
    text("encrypted-key-within", root + OTHER.key.encrypted())
    text("other-block", root + pem.block("DH PARAMETERS", sequence(integer(5), integer(2))))
    text("label-x509-certificate", pem.block("X509 CERTIFICATE", ROOT.der))
    text("label-trusted-certificate", pem.block("TRUSTED CERTIFICATE", ROOT.der))
    text("label-trusted-later", root + pem.block("TRUSTED CERTIFICATE", OTHER.der))
    text("list-within", root + pem.block("X509 CRL", revocations()))
    text("list-within-revokes", root + pem.block("X509 CRL", revocations(revoked=[COMMON.serial])))
    text("list-within-of-another", root + pem.block("X509 CRL", revocations(OTHER)))
    text("list-within-garbage", root + pem.block("X509 CRL", b"garbage"))
    authorities(text)


SELF = Certificate(key(P256, 20), name("client"), [dns("client.example")])


def authorities(text):
    def of(title, made, **fields):
        text(f"authority-{title}", made.pem, client=client(made, **fields))

    for kind in (RSA, "RSA:1024", "RSA:8192", P384, "EC:secp521r1", "EC:secp224r1", "EC:brainpoolP256r1", "ED25519", "ED448"):
        of(kind.lower().replace(":", "-"), authority(f"Root {kind}", key(kind)))
    of("rsa-sha1", authority("Root SHA-1", key(RSA, 3)), digest="sha1")
    of("v1", authority("Root v1", key(P256, 8), version=b"", extra=[]))
    of("without-constraints", authority("Root", key(P256, 8), extra=[]))
    of("usage-lacks-signing", authority("Root", key(P256, 8), extra=[basic_constraints(True), key_usage(6)]))
    of("unknown-critical", authority("Root", key(P256, 8), extra=[basic_constraints(True), extension("1.2.3", NULL, TRUE)]))
    of("without-name", authority("", key(P256, 8)))
    of("constraints-broken", authority("Root", key(P256, 8), extra=[extension("2.5.29.19", b"\x30\x05", TRUE)]))


def lists():
    root = ROOT.pem
    good = revocations()
    forged = revocations(ROOT, signer=OTHER)

    def listed(title, content, authorities=root, client=None):
        bundle(f"crl-{title}", authorities, content, client)

    def armoured(*found):
        return "".join(pem.block("X509 CRL", one) for one in found)

    listed("good", armoured(good))
    listed("der", good)
    listed("revokes-another", armoured(revocations(revoked=[1])))
    listed("revokes", armoured(revocations(revoked=[COMMON.serial])))
    listed("v1", armoured(revocations(v2=False)))
    listed("without-next-update", armoured(revocations(until=None)))
    listed("expired", armoured(revocations(until="20210101")))
    listed("expired-der", revocations(until="20210101"))
    listed("of-another-root", armoured(revocations(OTHER)))
    listed("badly-signed", armoured(forged))
    listed("good-and-of-another-root", armoured(good, revocations(OTHER)))
    listed("good-and-badly-signed", armoured(good, forged))
    listed("good-and-expired", armoured(revocations(until="20210101"), revocations(number=2)))
    listed("garbage", "garbage")
    listed("empty", "")
    listed("blank", "\n")
    listed("certificate-in-its-place", root)
    listed("and-certificate", armoured(good) + root)
    listed("garbage-block", armoured(b"garbage"))
    listed("good-then-garbage-block", armoured(good, b"garbage"))
    listed("good-then-cut-off", armoured(good) + armoured(good)[:150])
    listed("trailing-bytes", armoured(good + b"\0"))
    listed("der-trailing-bytes", good + b"\0")
    listed("der-cut-off", good[:-1])
    listed("der-twice", good + good)
    listed("other-label", pem.block("CRL", good))
    listed("text-around", f"# list\n{armoured(good)}# end\n")
    listed("crlf", armoured(good).replace("\n", "\r\n"))
    listed("byte-order-mark", "\ufeff" + armoured(good))
    listed("indented", "".join(f"  {line}\n" for line in armoured(good).splitlines()))
    listed("joined", armoured(good).rstrip() + armoured(good))
    listed("one-line", pem.block("X509 CRL", good, 10**6))
    listed("twice", armoured(good, good))
    both = root + MIDDLE.pem
    listed("root-alone-intermediate-client", armoured(good), client=Chained)
    listed("root-alone-root-client", armoured(good), both)
    listed("root-alone-two-authorities", armoured(good), both, client=Chained)
    listed("both", armoured(good, revocations(MIDDLE)), both, client=Chained)
    listed("both-not-twice-one", armoured(good, revocations(number=2)), both, client=Chained)
    listed("intermediate-not-in-bundle", armoured(good, revocations(MIDDLE)), client=Chained)
    by_kinds(listed, armoured)


def by_kinds(listed, armoured):
    for kind in (RSA, "RSA:1024", P384, "EC:secp521r1", "ED25519", "EC:secp224r1"):
        made = authority(f"Root {kind}", key(kind))
        listed(f"by-{kind.lower().replace(':', '-')}", armoured(revocations(made)), made.pem, client(made))
    made = authority("Root RSA", key(RSA))
    listed("by-sha1", armoured(revocations(made, digest="sha1")), made.pem, client(made))
    listed("by-pss", armoured(revocations(made, algorithm=PSS, options=PSS_OPTIONS)), made.pem, client(made))
    made = authority("Root", key(P256, 8), extra=[basic_constraints(True), key_usage(5)])
    listed("authority-may-not-sign-lists", armoured(revocations(made)), made.pem, client(made))


def make():
    trust()
    lists()
    for file, content in [("client.crt", COMMON.pem), ("client.key", COMMON.key.pkcs8_pem)]:
        (CASES.parent / file).write_text(content)
