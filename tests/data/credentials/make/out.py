"""Where the materials go: a folder each, laid out as a directory source reads it."""

import shutil
from pathlib import Path

CASES = Path(__file__).resolve().parent.parent / "cases"


def start():
    shutil.rmtree(CASES, ignore_errors=True)


def case(title, files):
    folder = CASES / title
    if folder.exists():
        raise ValueError(f"twice: {title}")
    folder.mkdir(parents=True)
    for file, content in files.items():
        if content is not None:
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())


def pair(title, certificate, key, staple=None):
    case(title, {"tls.crt": certificate, "tls.key": key, "tls.ocsp-staple": staple})


def bundle(title, authorities, lists=None, client=None):
    """`client` is a certificate of the bundle's; without it the test takes the common one."""
    files = {"ca.crt": authorities, "ca.crl": lists}
    if client:
        files |= {"client.crt": client.pem, "client.key": client.key.pkcs8_pem}
    case(title, files)
