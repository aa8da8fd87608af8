//! The suites that BoringSSL knows, and the names of several.

use serde::{Deserialize, Serialize};

/// What a certificate's key has to be for a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyKind {
    /// RSA.
    Rsa,
    /// An elliptic curve's.
    Ecdsa,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    Rsa,
    Ecdhe,
    Psk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    TripleDes,
    Aes128,
    Aes256,
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20,
}

/// A suite of TLS 1.2 or earlier.
#[derive(Debug, PartialEq, Eq)]
pub struct Suite {
    name: &'static str,
    standard: &'static str,
    /// Whose certificates it is for; none needs no certificate, and is for nobody here.
    pub key: Option<KeyKind>,
    exchange: Exchange,
    encryption: Encryption,
    /// Whether it works with TLS 1.0 and 1.1 too: its MAC is SHA-1.
    pub is_old: bool,
    /// Chosen by its own name alone.
    pub(super) is_apart: bool,
}

const fn suite(
    name: &'static str,
    standard: &'static str,
    (exchange, key): (Exchange, Option<KeyKind>),
    encryption: Encryption,
    is_old: bool,
) -> Suite {
    Suite {
        name,
        standard,
        key,
        exchange,
        encryption,
        is_old,
        is_apart: false,
    }
}

const fn apart(suite: Suite) -> Suite {
    Suite {
        is_apart: true,
        ..suite
    }
}

const RSA: (Exchange, Option<KeyKind>) = (Exchange::Rsa, Some(KeyKind::Rsa));
const ECDHE_RSA: (Exchange, Option<KeyKind>) = (Exchange::Ecdhe, Some(KeyKind::Rsa));
const ECDHE_ECDSA: (Exchange, Option<KeyKind>) = (Exchange::Ecdhe, Some(KeyKind::Ecdsa));
const PSK: (Exchange, Option<KeyKind>) = (Exchange::Psk, None);
const ECDHE_PSK: (Exchange, Option<KeyKind>) = (Exchange::Ecdhe, None);

use Encryption::{Aes128, Aes128Gcm, Aes256, Aes256Gcm, ChaCha20, TripleDes};

/// What Envoy takes where nothing is said.
pub(super) static ENVOYS_OWN: [Suite; 6] = [
    suite(
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ECDHE_ECDSA,
        Aes128Gcm,
        false,
    ),
    suite(
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ECDHE_ECDSA,
        ChaCha20,
        false,
    ),
    suite(
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        ECDHE_RSA,
        Aes128Gcm,
        false,
    ),
    suite(
        "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ECDHE_RSA,
        ChaCha20,
        false,
    ),
    suite(
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ECDHE_ECDSA,
        Aes256Gcm,
        false,
    ),
    suite(
        "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        ECDHE_RSA,
        Aes256Gcm,
        false,
    ),
];

static OTHERS: [Suite; 16] = [
    suite(
        "ECDHE-PSK-CHACHA20-POLY1305",
        "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
        ECDHE_PSK,
        ChaCha20,
        false,
    ),
    suite(
        "ECDHE-ECDSA-AES128-SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        ECDHE_ECDSA,
        Aes128,
        true,
    ),
    suite(
        "ECDHE-RSA-AES128-SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        ECDHE_RSA,
        Aes128,
        true,
    ),
    suite(
        "ECDHE-PSK-AES128-CBC-SHA",
        "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA",
        ECDHE_PSK,
        Aes128,
        true,
    ),
    suite(
        "ECDHE-ECDSA-AES256-SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        ECDHE_ECDSA,
        Aes256,
        true,
    ),
    suite(
        "ECDHE-RSA-AES256-SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        ECDHE_RSA,
        Aes256,
        true,
    ),
    suite(
        "ECDHE-PSK-AES256-CBC-SHA",
        "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA",
        ECDHE_PSK,
        Aes256,
        true,
    ),
    suite(
        "AES128-GCM-SHA256",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        RSA,
        Aes128Gcm,
        false,
    ),
    suite(
        "AES256-GCM-SHA384",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        RSA,
        Aes256Gcm,
        false,
    ),
    suite("AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", RSA, Aes128, true),
    suite(
        "PSK-AES128-CBC-SHA",
        "TLS_PSK_WITH_AES_128_CBC_SHA",
        PSK,
        Aes128,
        true,
    ),
    suite("AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA", RSA, Aes256, true),
    suite(
        "PSK-AES256-CBC-SHA",
        "TLS_PSK_WITH_AES_256_CBC_SHA",
        PSK,
        Aes256,
        true,
    ),
    apart(suite(
        "DES-CBC3-SHA",
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        RSA,
        TripleDes,
        true,
    )),
    apart(suite(
        "ECDHE-RSA-AES128-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        ECDHE_RSA,
        Aes128,
        false,
    )),
    apart(suite(
        "ECDHE-ECDSA-AES128-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        ECDHE_ECDSA,
        Aes128,
        false,
    )),
];

/// They are names, and choose nothing.
pub(super) const TLS_1_3: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Suite> {
    ENVOYS_OWN.iter().chain(&OTHERS)
}

impl Suite {
    /// Whether this is one of its two names.
    pub(super) fn is_called(&self, word: &str) -> bool {
        self.name == word || self.standard == word
    }

    /// Whether an alias is of it too; none if there is no such alias.
    pub(super) fn is_of(&self, alias: &str) -> Option<bool> {
        use Encryption::{Aes128, Aes128Gcm, Aes256, Aes256Gcm, ChaCha20, TripleDes};
        let of = |one: &[Encryption]| one.contains(&self.encryption);
        Some(match alias {
            "ALL" | "HIGH" | "FIPS" => true,
            "kRSA" | "RSA" => self.exchange == Exchange::Rsa,
            "kECDHE" | "kEECDH" | "ECDH" | "ECDHE" | "EECDH" => self.exchange == Exchange::Ecdhe,
            "kPSK" | "PSK" => self.exchange == Exchange::Psk,
            "aRSA" => self.key == Some(KeyKind::Rsa),
            "aECDSA" | "ECDSA" => self.key == Some(KeyKind::Ecdsa),
            "aPSK" => self.key.is_none(),
            "3DES" => of(&[TripleDes]),
            "AES128" => of(&[Aes128, Aes128Gcm]),
            "AES256" => of(&[Aes256, Aes256Gcm]),
            "AES" => of(&[Aes128, Aes128Gcm, Aes256, Aes256Gcm]),
            "AESGCM" => of(&[Aes128Gcm, Aes256Gcm]),
            "CHACHA20" => of(&[ChaCha20]),
            "SHA" | "SHA1" | "SSLv3" | "TLSv1" => self.is_old,
            "TLSv1.2" => !self.is_old,
            _ => return None,
        })
    }
}
