//! The facts of a leaf certificate. Everything that Envoy's TLS library accepts is read; values are bytes, which are
//! escaped when they are written.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use x509_parser::asn1_rs::{Any, FromDer as _};
use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::nom::Parser as _;
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::time::ASN1Time;

use super::escape::hex;
use super::name::{self, Quoting};

/// A certificate that cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the certificate cannot be read")]
pub struct BadCertificate;

/// What a leaf certificate says about its holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// RFC 2253; empty if it has none.
    pub subject: String,
    /// The same without any `\"` and `\\`, for use in quotes.
    pub(super) quotable_subject: String,
    /// RFC 2253.
    pub issuer: String,
    /// Lower-case hex, with a `-` if it is negative.
    pub serial: String,
    /// `2026-11-23T23:29:29Z`.
    pub not_before: String,
    /// The same.
    pub not_after: String,
    /// As in the certificate: any bytes.
    pub uri_sans: Vec<Vec<u8>>,
    /// The same.
    pub dns_sans: Vec<Vec<u8>>,
    /// As text.
    pub ip_sans: Vec<Vec<u8>>,
    /// Any bytes.
    pub email_sans: Vec<Vec<u8>>,
}

impl PeerIdentity {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// It is not a certificate, or something follows it.
    pub fn from_der(der: &[u8]) -> Result<Self, BadCertificate> {
        // Extensions other than the one below may contain anything.
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (rest, certificate) = parser.parse(der).map_err(|_| BadCertificate)?;
        if !rest.is_empty() {
            return Err(BadCertificate);
        }
        let mut identity = Self {
            subject: name::text(certificate.subject(), Quoting::Plain),
            quotable_subject: name::text(certificate.subject(), Quoting::Quotable),
            issuer: name::text(certificate.issuer(), Quoting::Plain),
            serial: serial(certificate.raw_serial()),
            not_before: date(certificate.validity().not_before)?,
            not_after: date(certificate.validity().not_after)?,
            ..Self::default()
        };
        if let Some(names) = alternative_names(&certificate) {
            identity.add_names(names)?;
        }
        Ok(identity)
    }

    /// Reads GeneralNames, and skips other kinds.
    fn add_names(&mut self, names: &[u8]) -> Result<(), BadCertificate> {
        let (after, list) = Any::from_der(names).map_err(|_| BadCertificate)?;
        if list.tag().0 != SEQUENCE || !after.is_empty() {
            return Err(BadCertificate);
        }
        let mut rest = list.data;
        while !rest.is_empty() {
            let (next, name) = Any::from_der(rest).map_err(|_| BadCertificate)?;
            match name.tag().0 {
                EMAIL => self.email_sans.push(name.data.to_vec()),
                DNS => self.dns_sans.push(name.data.to_vec()),
                URI => self.uri_sans.push(name.data.to_vec()),
                IP => self.ip_sans.extend(address(name.data)),
                _ => {}
            }
            rest = next;
        }
        Ok(())
    }
}

const SEQUENCE: u32 = 16;
/// Tags of GeneralName (RFC 5280, 4.2.1.6).
const EMAIL: u32 = 1;
const DNS: u32 = 2;
const URI: u32 = 6;
const IP: u32 = 7;

/// The value of the extension, if there is exactly one: of two, it would be unclear which one counts.
fn alternative_names<'a>(certificate: &X509Certificate<'a>) -> Option<&'a [u8]> {
    let mut extensions = certificate
        .extensions()
        .iter()
        .filter(|extension| extension.oid == OID_X509_EXT_SUBJECT_ALT_NAME);
    let only = extensions.next()?.value;
    extensions.next().is_none().then_some(only)
}

fn address(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        Ipv4Addr::from(v4).to_string()
    } else {
        Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()
    };
    Some(text.into_bytes())
}

/// Two's complement, in Envoy's format.
fn serial(bytes: &[u8]) -> String {
    if bytes.first().is_some_and(|first| first & 0x80 != 0) {
        let mut carry = true;
        let mut magnitude: Vec<u8> = bytes
            .iter()
            .rev()
            .map(|byte| negated(*byte, &mut carry))
            .collect();
        magnitude.reverse();
        return format!("-{}", hex(without_zeros(&magnitude)));
    }
    match without_zeros(bytes) {
        [0] => "0".to_owned(),
        bytes => hex(bytes),
    }
}

fn negated(byte: u8, carry: &mut bool) -> u8 {
    let (sum, overflow) = (!byte).overflowing_add(u8::from(*carry));
    *carry = overflow;
    sum
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => without_zeros(rest),
        _ => bytes,
    }
}

fn date(date: ASN1Time) -> Result<String, BadCertificate> {
    // Removes an offset, which some certificates have against the standard.
    let date = ASN1Time::from_timestamp(date.timestamp())
        .map_err(|_| BadCertificate)?
        .to_datetime();
    Ok(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        date.hour(),
        date.minute(),
        date.second()
    ))
}

/// The first certificate of a PEM text, in DER.
///
/// # Errors
/// There is none, or it is not base64.
pub fn der_from_pem(pem: &[u8]) -> Result<Vec<u8>, BadCertificate> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    const END: &[u8] = b"-----END CERTIFICATE-----";
    let find = |text: &[u8], part: &[u8]| text.windows(part.len()).position(|window| window == part);
    let start = find(pem, BEGIN).ok_or(BadCertificate)? + BEGIN.len();
    let body = pem.get(start..).ok_or(BadCertificate)?;
    let body = body
        .get(..find(body, END).ok_or(BadCertificate)?)
        .ok_or(BadCertificate)?;
    let base64: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(base64).map_err(|_| BadCertificate)
}
