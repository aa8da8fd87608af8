"""Makes the materials anew: `python3 tests/data/credentials/make`. Needs OpenSSL 3, and a minute for large keys."""

import sys

sys.dont_write_bytecode = True

import bundles
import chains
import leaves
import out
import pairs

out.start()
for part in (pairs, leaves, chains, bundles):
    part.make()
print(len(list(out.CASES.iterdir())), "materials")
