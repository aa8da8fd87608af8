"""Keys, by the `openssl` program: it still makes what newer libraries refuse to."""

import functools
import subprocess
import tempfile
from pathlib import Path

import pem


def openssl(*arguments, stdin=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments}: {done.stderr.decode()}")
    return done.stdout


FOLDER = Path(tempfile.mkdtemp(prefix="keys"))


class Key:
    """A private key in a file, PKCS#8."""

    def __init__(self, name, *arguments):
        self.path = FOLDER / f"{name}.pem"
        openssl("genpkey", *arguments, "-out", self.path)
        self.pkcs8_pem = self.path.read_text()
        self.pkcs8 = pem.decode(self.pkcs8_pem)

    @functools.cached_property
    def spki(self):
        return openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")

    @functools.cached_property
    def traditional(self):
        """PKCS#1 or SEC1."""
        return openssl("pkey", "-in", self.path, "-traditional", "-outform", "DER")

    def encrypted(self, *arguments):
        return openssl("pkey", "-in", self.path, *arguments, "-aes128", "-passout", "pass:secret").decode()

    def sign(self, data, digest, *options):
        if digest is None:
            file = FOLDER / "data"
            file.write_bytes(data)
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", file)
        return openssl("dgst", f"-{digest}", "-sign", self.path, *options, "-binary", stdin=data)


@functools.cache
def key(name, serial=0):
    """A key of this kind; another `serial` is another key."""
    kind, _, variant = name.partition(":")
    arguments = ["-algorithm", kind]
    if kind in ("RSA", "RSA-PSS"):
        size, _, exponent = variant.partition(":")
        arguments += ["-pkeyopt", f"rsa_keygen_bits:{size}"]
        arguments += ["-pkeyopt", f"rsa_keygen_pubexp:{exponent}"] if exponent else []
    elif kind == "EC":
        curve, _, encoding = variant.partition(":")
        arguments += ["-pkeyopt", f"ec_paramgen_curve:{curve}"]
        arguments += ["-pkeyopt", f"ec_param_enc:{encoding or 'named_curve'}"]
    elif kind == "DSA":
        parameters = FOLDER / "dsa-parameters.pem"
        openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:2048", "-out", parameters)
        arguments = ["-paramfile", parameters]
    return Key(f"{name.replace(':', '-')}-{serial}", *arguments)


P256, P384, RSA = "EC:prime256v1", "EC:secp384r1", "RSA:2048"
