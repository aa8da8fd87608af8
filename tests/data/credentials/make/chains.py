"""How PEM text can be laid out, and what a chain can hold."""

import pem
from der import *
from keys import P256, P384, RSA, key
from out import pair
from x509 import *


def texts():
    # Its base64 ends with padding.
    own = leaf_that(lambda der: len(der) % 3 == 1)
    good, middle = own.pem, MIDDLE.pem
    body = good.split("-----\n")[1].split("-----END")[0]
    one_line = pem.block("CERTIFICATE", own.der, 10**6)
    begin, end = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"

    def text(title, certificate):
        pair(f"pem-{title}", certificate, own.key.pkcs8_pem)

    text("plain", good + middle)
    text("text-around", f"Subject: a\n{good}between\n{middle}after\n")
    text("bag-attributes", f"Bag Attributes\n    friendlyName: a\nsubject=CN = a\n{good}")
    text("text-not-utf8", b"\xff\xfe\n" + good.encode())
    text("trailing-garbage", good + "\1\2garbage")
    text("nul-after", good + "\0\0")
    text("nul-before", "\0\n" + good)
    text("nul-before-on-the-line", "\0" + good)
    text("nul-in-body", good.replace("\nM", "\n\0M", 1))
    text("nul-after-begin", good.replace("CERTIFICATE-----\n", "CERTIFICATE-----\0\n", 1))
    text("crlf", (good + middle).replace("\n", "\r\n"))
    text("bare-cr", good.replace("\n", "\r"))
    text("cr-twice", good.replace("\n", "\r\r\n"))
    text("one-line", one_line)
    text("76-columns", pem.block("CERTIFICATE", own.der, 76))
    text("63-columns", pem.block("CERTIFICATE", own.der, 63))
    text("300-columns", pem.block("CERTIFICATE", own.der, 300))
    text("one-column", pem.block("CERTIFICATE", own.der, 1))
    text("blank-lines-around", f"\n\n{good}\n\n{middle}\n\n")
    text("blank-line-after-begin", good.replace("CERTIFICATE-----\n", "CERTIFICATE-----\n\n", 1))
    text("blank-lines-in-body", begin + body.replace("\n", "\n\n") + end)
    text("blank-line-before-end", good.replace("-----END", "\n-----END"))
    text("without-last-newline", good.rstrip())
    text("byte-order-mark", "\ufeff" + good)
    text("byte-order-mark-between", good + "\ufeff" + middle)
    text("utf16", good.encode("utf-16"))
    text("indented", "".join(f"    {line}\n" for line in good.splitlines()))
    text("indented-body", begin + "".join(f"  {line}\n" for line in body.splitlines()) + end)
    text("tabs", "".join(f"\t{line}\n" for line in good.splitlines()))
    text("spaces-at-line-ends", good.replace("\n", "  \n"))
    text("spaces-in-body", begin + body.replace("A", " A") + end)
    text("text-on-begin", good.replace("-----BEGIN", "cert: -----BEGIN"))
    text("text-after-begin", good.replace("CERTIFICATE-----\n", "CERTIFICATE----- a\n", 1))
    text("text-on-end", good.rstrip() + " a\n")
    text("text-before-end", good.replace("-----END", "a -----END"))
    text("six-dashes", good.replace("-----", "------"))
    text("four-dashes", good.replace("-----", "----"))
    text("lower-case-label", good.replace("CERTIFICATE", "certificate"))
    text("two-spaces-in-label", good.replace("BEGIN CERT", "BEGIN  CERT").replace("END CERT", "END  CERT"))
    text("joined", good.rstrip() + middle)
    text("joined-begin-and-body", good.replace("CERTIFICATE-----\n", "CERTIFICATE-----", 1))
    text("joined-body-and-end", good.replace("\n-----END", "-----END"))
    text("escaped-newlines", good.replace("\n", "\\n"))
    text("spaces-for-newlines", good.replace("\n", " "))
    text("end-of-another-label", good.replace("END CERTIFICATE", "END X509 CRL"))
    text("without-end", begin + body)
    text("without-begin", body + end)
    text("begin-twice", begin + good)
    text("end-twice", good + end)
    text("cut-off", good[: len(good) // 2])
    text("cut-off-later", good + middle[: len(middle) // 2])
    text("empty-later-block", good + begin + end)
    text("empty-first-block", begin + end + good)
    text("bad-later-certificate", good + begin + "AAAA\n" + end)
    text("not-base64-later", good + begin + "????\n" + end)
    text("not-base64-later-other-label", good + "-----BEGIN X-----\n????\n-----END X-----\n")
    text("cut-off-later-other-label", good + "-----BEGIN X-----\nAAAA\n")
    text("base64-without-padding", begin + body.rstrip().rstrip("=") + "\n" + end)
    text("base64-url", begin + body.replace("+", "-").replace("/", "_") + end)
    text("base64-padding-within", begin + body[:64] + "====\n" + body[65:] + end)
    text("base64-loose-bits", begin + "MA==\n" + end)
    text("text-after-padding", begin + body.rstrip() + "\ngarbage\n" + end)
    text("comment-in-body", begin + "# a\n" + body + end)
    text("header", begin + "Comment: a\n\n" + body + end)
    text("proc-type-clear", begin + "Proc-Type: 4,MIC-CLEAR\n\n" + body + end)
    text("proc-type-encrypted", begin + "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n" + body + end)
    text("comment-with-marker", "# -----BEGIN it\n" + good)
    text("comment-with-end-marker", good + "# -----END of it\n")
    text("dashes-around", "-----\n" + good + "----- \n")
    text("long-comment", "a" * 70_000 + "\n" + good)
    text("space-alone", " \n")
    text("der", own.der)
    labels(own, text)


def labels(own, text):
    for label in ("X509 CERTIFICATE", "TRUSTED CERTIFICATE", "PKCS7", "CERTIFICATE REQUEST"):
        text(f"label-{label.lower().replace(' ', '-')}", pem.block(label, own.der))
    auxiliary = sequence(sequence(oid("1.3.6.1.5.5.7.3.1")))
    text("label-trusted-with-trust", pem.block("TRUSTED CERTIFICATE", own.der + auxiliary))
    text("label-certificate-with-trust", pem.block("CERTIFICATE", own.der + auxiliary))
    text("label-trusted-with-garbage", pem.block("TRUSTED CERTIFICATE", own.der + b"\0"))
    for label in ("X509 CERTIFICATE", "TRUSTED CERTIFICATE"):
        text(f"label-{label.lower().replace(' ', '-')}-later", own.pem + pem.block(label, MIDDLE.der))
    text("ec-parameters", pem.block("EC PARAMETERS", oid("1.2.840.10045.3.1.7")) + own.pem)
    text("other-block-first", pem.block("DH PARAMETERS", sequence(integer(5), integer(2))) + own.pem)
    text("other-block-later", own.pem + pem.block("X509 CRL", revocations()) + MIDDLE.pem)
    text("key-in-chain", own.pem + own.key.pkcs8_pem + MIDDLE.pem)
    text("key-alone", own.key.pkcs8_pem)
    text("encrypted-key-in-chain", own.pem + own.key.encrypted())
    text("unknown-block-of-garbage", own.pem + pem.block("X", b"garbage"))


def chains():
    own = leaf()
    low = authority("Sealgate Test Lower", key(P256, 4), MIDDLE)
    deep = leaf(issuer=low)

    def chain(title, *parts, of=own):
        pair(f"chain-{title}", "".join(part.pem for part in parts), of.key.pkcs8_pem)

    chain("of-three", deep, low, MIDDLE, of=deep)
    chain("with-root", deep, low, MIDDLE, ROOT, of=deep)
    chain("wrong-order-after-leaf", deep, MIDDLE, low, of=deep)
    chain("intermediate-first", MIDDLE, own)
    chain("reversed", MIDDLE, low, deep, of=deep)
    chain("leaf-twice", own, own, MIDDLE)
    chain("intermediate-twice", own, MIDDLE, MIDDLE)
    chain("two-leaves-of-one-key", own, leaf(), MIDDLE)
    chain("unrelated-extra", own, OTHER)
    chain("without-leaf", MIDDLE, ROOT)
    past = authority("Sealgate Test Intermediate", key(P256, 2), ROOT, dates=("20200101", "20210101"))
    chain("expired-intermediate", own, past)
    chain("intermediate-of-rsa-1024", own, authority("Small", key("RSA:1024"), ROOT))
    chain("intermediate-of-brainpool", own, authority("Odd", key("EC:brainpoolP256r1"), ROOT))
    chain("intermediate-of-ed448", own, authority("Odd", key("ED448"), ROOT))
    chain("intermediate-is-no-authority", own, leaf(key(P384)))
    chain("intermediate-v1", own, authority("Old", key(P256, 5), ROOT, version=b"", extra=[]))
    chain("intermediate-v1-extensions", own, authority("Old", key(P256, 5), ROOT, version=b""))
    chain("intermediate-serial-not-minimal", own, authority("Odd", key(P256, 5), ROOT, serial=b"\0\5"))
    chain("intermediate-md5", own, authority("Old", key(RSA, 1), digest="md5"))
    chain("intermediate-without-name", own, authority("", key(P256, 5), ROOT))
    for title, size in [("just-below-64-kb", 64_000), ("above-64-kb", 66_000), ("150-kb", 150_000)]:
        filler = leaf(key(P384), names=[dns(f"{'a' * 60}.{number}.example") for number in range(200)])
        chain(title, own, *[filler] * ((size - len(own.pem)) // len(filler.pem) + (size > 65_536)))
    rsa = leaf(key(RSA))
    pair("pair-same-type", own.pem, key(P256, 9).pkcs8_pem)
    pair("pair-other-type", own.pem, rsa.key.pkcs8_pem)
    pair("pair-other-size", leaf(key(P384)).pem, own.key.pkcs8_pem)
    pair("pair-other-rsa", rsa.pem, key(RSA, 9).pkcs8_pem)
    pair("pair-key-of-the-intermediate", own.pem + MIDDLE.pem, MIDDLE.key.pkcs8_pem)


def make():
    texts()
    chains()
