//! OCSP staples (RFC 6960): Envoy drops an expired one in silence, and fails every handshake of a certificate that
//! demands one.

use time::OffsetDateTime;
use time::macros::format_description;
use x509_parser::certificate::X509Certificate;

use super::{CredentialError, Warnings, certificate, der};

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const INTEGER: u8 = 0x02;
const ENUMERATED: u8 = 0x0a;
const OBJECT_ID: u8 = 0x06;
const TIME: u8 = 0x18;
const CONTEXT_0: u8 = 0xa0;

/// The staple to serve. A bad one is left out with a warning, unless the certificate demands one.
pub(super) fn staple(
    leaf: &X509Certificate<'_>,
    staple: Option<(&str, &[u8])>,
    now: OffsetDateTime,
    warnings: &mut Warnings<'_>,
) -> Result<Option<Vec<u8>>, CredentialError> {
    let demanded = certificate::must_staple(leaf);
    let Some((field, bytes)) = staple.filter(|(_, bytes)| !bytes.is_empty()) else {
        return if demanded {
            Err(CredentialError::MustStaple("there is none"))
        } else {
            Ok(None)
        };
    };
    match check(bytes, leaf.tbs_certificate.raw_serial(), now) {
        Ok(()) => Ok(Some(bytes.to_vec())),
        Err(reason) if demanded => Err(CredentialError::MustStaple(reason)),
        Err(reason) => {
            warnings.add(
                "staple-dropped",
                field,
                format!("the OCSP staple is not served: {reason}"),
            );
            Ok(None)
        }
    }
}

fn check(bytes: &[u8], serial: &[u8], now: OffsetDateTime) -> Result<(), &'static str> {
    let responses = responses(bytes).ok_or("it is not a successful OCSP response")?;
    let mut rest = responses;
    while let Some((response, next)) = der::expect(rest, SEQUENCE) {
        if let Some((own, next_update)) = single(response)
            && own == serial
        {
            return match next_update {
                Some(until) if until < now => Err("it has expired"),
                _ => Ok(()),
            };
        }
        rest = next;
    }
    Err("it is another certificate's")
}

/// The `responses` of a `BasicOCSPResponse`.
fn responses(bytes: &[u8]) -> Option<&[u8]> {
    let (response, _) = der::expect(bytes, SEQUENCE)?;
    let (status, rest) = der::expect(response, ENUMERATED)?;
    if status != [0] {
        return None;
    }
    let (wrapper, _) = der::expect(rest, CONTEXT_0)?;
    let (typed, _) = der::expect(wrapper, SEQUENCE)?;
    let (_, basic) = der::expect(typed, OBJECT_ID)?;
    let (basic, _) = der::expect(basic, OCTET_STRING)?;
    let (basic, _) = der::expect(basic, SEQUENCE)?;
    let (data, _) = der::expect(basic, SEQUENCE)?;
    let version = der::value(data)?;
    let data = if version.tag == CONTEXT_0 {
        version.rest
    } else {
        data
    };
    let responder = der::value(data)?;
    let (_, rest) = der::expect(responder.rest, TIME)?;
    der::expect(rest, SEQUENCE).map(|(responses, _)| responses)
}

/// The serial number of a `SingleResponse`, and until when it is good.
fn single(response: &[u8]) -> Option<(&[u8], Option<OffsetDateTime>)> {
    let (id, rest) = der::expect(response, SEQUENCE)?;
    let (_, id) = der::expect(id, SEQUENCE)?;
    let (_, id) = der::expect(id, OCTET_STRING)?;
    let (_, id) = der::expect(id, OCTET_STRING)?;
    let (serial, _) = der::expect(id, INTEGER)?;
    let status = der::value(rest)?;
    let (_, rest) = der::expect(status.rest, TIME)?;
    let next_update = der::expect(rest, CONTEXT_0).and_then(|(wrapper, _)| der::expect(wrapper, TIME));
    Some((serial, next_update.and_then(|(text, _)| time(text))))
}

fn time(text: &[u8]) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day][hour][minute][second]Z");
    let text = std::str::from_utf8(text).ok()?;
    time::PrimitiveDateTime::parse(text, format)
        .ok()
        .map(time::PrimitiveDateTime::assume_utc)
}
