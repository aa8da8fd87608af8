//! OCSP staples (RFC 6960): Envoy drops an expired one in silence, and fails every handshake of a certificate that
//! demands one.

use sealgate_model::Code;
use time::OffsetDateTime;
use time::macros::format_description;
use x509_parser::certificate::X509Certificate;

use super::lifetime::Lifetime;
use super::{CredentialError, Staple, Warnings, certificate, der};

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const INTEGER: u8 = 0x02;
const ENUMERATED: u8 = 0x0a;
const OBJECT_ID: u8 = 0x06;
const TIME: u8 = 0x18;
const CONTEXT_0: u8 = 0xa0;
/// By name and by key.
const RESPONDERS: [u8; 2] = [0xa1, 0xa2];
/// Good, revoked and unknown.
const STATES: [u8; 3] = [0x80, 0xa1, 0x82];
/// `id-pkix-ocsp-basic`, 1.3.6.1.5.5.7.48.1.1.
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];

/// The staple to serve while it is good. A bad one is left out with a warning, unless the certificate demands one.
pub(super) fn staple(
    leaf: &X509Certificate<'_>,
    staple: Option<(&str, &[u8])>,
    warnings: &mut Warnings<'_>,
) -> Result<Option<Staple>, CredentialError> {
    let demanded = certificate::must_staple(leaf);
    let Some((field, bytes)) = staple.filter(|(_, bytes)| !bytes.is_empty()) else {
        return if demanded {
            Err(CredentialError::MustStaple("there is none"))
        } else {
            Ok(None)
        };
    };
    match check(bytes, leaf.tbs_certificate.raw_serial()) {
        Ok(validity) => Ok(Some(Staple {
            der: bytes.to_vec(),
            validity,
        })),
        Err(reason) if demanded => Err(CredentialError::MustStaple(reason)),
        Err(reason) => {
            warnings.add(
                Code::StapleDropped,
                field,
                format!("the OCSP staple is not served: {reason}"),
            );
            Ok(None)
        }
    }
}

fn check(bytes: &[u8], serial: &[u8]) -> Result<Lifetime, &'static str> {
    let responses = responses(bytes).ok_or("it is not a successful OCSP response")?;
    let (response, rest) = der::expect(responses, SEQUENCE).ok_or("it covers no certificate")?;
    if !rest.is_empty() {
        return Err("it covers several certificates");
    }
    let (own, from, until) = single(response).ok_or("it cannot be parsed")?;
    if own != serial {
        return Err("it is for another certificate");
    }
    if until.is_none() {
        return Err("it does not say when it expires");
    }
    Ok(Lifetime { from, until })
}

/// The `responses` of a `BasicOCSPResponse`.
fn responses(bytes: &[u8]) -> Option<&[u8]> {
    let (response, []) = der::expect(bytes, SEQUENCE)? else {
        return None;
    };
    let (status, rest) = der::expect(response, ENUMERATED)?;
    if status != [0] {
        return None;
    }
    let (wrapper, _) = der::expect(rest, CONTEXT_0)?;
    let (typed, _) = der::expect(wrapper, SEQUENCE)?;
    let (kind, basic) = der::expect(typed, OBJECT_ID)?;
    if kind != BASIC {
        return None;
    }
    let (basic, _) = der::expect(basic, OCTET_STRING)?;
    let (basic, _) = der::expect(basic, SEQUENCE)?;
    let (data, _) = der::expect(basic, SEQUENCE)?;
    // A version would come first; Envoy takes none.
    let responder = der::value(data).filter(|first| RESPONDERS.contains(&first.tag))?;
    let (produced, rest) = der::expect(responder.rest, TIME)?;
    time(produced)?;
    der::expect(rest, SEQUENCE).map(|(responses, _)| responses)
}

/// The serial number of a `SingleResponse`, and from when until when it is good.
fn single(response: &[u8]) -> Option<(&[u8], OffsetDateTime, Option<OffsetDateTime>)> {
    let (id, rest) = der::expect(response, SEQUENCE)?;
    let (_, id) = der::expect(id, SEQUENCE)?;
    let (_, id) = der::expect(id, OCTET_STRING)?;
    let (_, id) = der::expect(id, OCTET_STRING)?;
    let (serial, _) = der::expect(id, INTEGER)?;
    let status = der::value(rest).filter(|status| STATES.contains(&status.tag))?;
    let (since, rest) = der::expect(status.rest, TIME)?;
    let since = time(since)?;
    let Some((wrapper, _)) = der::expect(rest, CONTEXT_0) else {
        return Some((serial, since, None));
    };
    let (until, _) = der::expect(wrapper, TIME)?;
    Some((serial, since, Some(time(until)?)))
}

fn time(text: &[u8]) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day][hour][minute][second]Z");
    let text = std::str::from_utf8(text).ok()?;
    time::PrimitiveDateTime::parse(text, format)
        .ok()
        .map(time::PrimitiveDateTime::assume_utc)
}
