//! Client certificates that no CA should issue, through the real Envoy: our headers are read back with a strict reader,
//! and compared with Envoy's own XFCC for the same certificate.

#[path = "../../filter/core/src/identity/tests/xfcc_reader.rs"]
mod xfcc_reader;

use anyhow::{Context as _, Result, bail, ensure};
use rustls::version::{TLS12, TLS13};
use sealgate_tests::client::Version;
use sealgate_tests::clients::{Clients, SeenRequest, client};
use sealgate_tests::handmade::{Content, attribute, common_name, name};

const HOST: &str = "mutual.example";
const EMAIL: u8 = 1;
const DNS: u8 = 2;
const URI: u8 = 6;
const UTF8: u8 = 0x0c;

/// What Envoy's own XFCC makes of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Native {
    /// It reads back as it was.
    Right,
    /// It reads back as another identity.
    False,
    /// It is not in the grammar.
    Broken,
    /// Every request of the client fails.
    Unavailable,
}
use Native::{Broken, False, Right, Unavailable};

/// A certificate, and what Envoy's own XFCC makes of it.
struct Case {
    name: &'static str,
    content: Content,
    native: Native,
}

fn uri(name: &'static str, bytes: &[u8], native: Native) -> Case {
    sans(name, vec![(URI, bytes.to_vec())], native)
}

fn sans(name: &'static str, sans: Vec<(u8, Vec<u8>)>, native: Native) -> Case {
    let content = Content {
        sans,
        ..Content::default()
    };
    Case {
        name,
        content,
        native,
    }
}

fn subject(name: &'static str, subject: Vec<u8>, native: Native) -> Case {
    let content = Content {
        subject,
        ..Content::default()
    };
    Case {
        name,
        content,
        native,
    }
}

/// A common name of this kind of string.
fn kind(name: &'static str, tag: u8, bytes: &[u8], native: Native) -> Case {
    subject(name, self::name(&[vec![attribute(3, tag, bytes)]]), native)
}

fn serial(name: &'static str, serial: &[u8]) -> Case {
    let content = Content {
        serial: serial.to_vec(),
        ..Content::default()
    };
    Case {
        name,
        content,
        native: Right,
    }
}

fn hostile_uris() -> Vec<Case> {
    vec![
        uri("plain", b"spiffe://example/a", Right),
        uri("percent", b"spiffe://example/a%20b", Right),
        uri("query", b"https://example/?x=1", Broken),
        uri("comma", b"spiffe://example/a,b", Broken),
        uri("semicolon", b"spiffe://example/a;b", Broken),
        uri("quote", b"spiffe://example/\"a", Broken),
        uri("backslash", b"spiffe://example/a\\", Right),
        uri(
            "injected uri",
            b"spiffe://example/a;URI=spiffe://example/admin",
            False,
        ),
        uri(
            "injected element",
            b"spiffe://example/a,Hash=0;URI=spiffe://example/admin",
            False,
        ),
        uri("injected subject", b"x;Subject=\"CN=admin\"", False),
        uri("carriage return", b"spiffe://example/a\rb", Unavailable),
        uri("line feed", b"spiffe://example/a\nx-admin: 1", Unavailable),
        uri("header", b"spiffe://example/a\r\nx-admin: 1", Unavailable),
        uri("nul", b"spiffe://example/a\0b", Unavailable),
        uri("escape", b"spiffe://example/\x1b[31m", Unavailable),
        uri("delete", b"spiffe://example/\x7f", Unavailable),
        uri("latin", b"spiffe://example/\xe9", Right),
        uri("utf8", "spiffe://example/é".as_bytes(), Right),
        uri("spaces", b" spiffe://example/a ", Right),
        uri("empty", b"", Right),
    ]
}

fn hostile_names() -> Vec<Case> {
    let many = (0..200).map(|at| (DNS, format!("host-{at}.example").into_bytes()));
    vec![
        sans(
            "dns injected",
            vec![(DNS, b"a.example;URI=spiffe://example/admin".to_vec())],
            False,
        ),
        sans("dns line feed", vec![(DNS, b"a.example\n".to_vec())], Unavailable),
        sans("dns wildcard", vec![(DNS, b"*.example".to_vec())], Right),
        sans("email", vec![(EMAIL, b"a,b;c=\"d\"@example\r\n".to_vec())], Right),
        sans(
            "of every kind",
            vec![
                (URI, b"u:1".to_vec()),
                (DNS, b"d".to_vec()),
                (EMAIL, b"e@f".to_vec()),
            ],
            Right,
        ),
        sans("200 names", many.collect(), Right),
        subject("no subject", name(&[]), Right),
        subject(
            "several values",
            name(&[vec![attribute(3, UTF8, b"a"), attribute(11, UTF8, b"b")]]),
            Right,
        ),
        subject(
            "unknown attribute",
            name(&[vec![attribute(99, UTF8, b"a")]]),
            Right,
        ),
        subject("10 kilobytes", common_name(&"a".repeat(10_000)), Right),
        kind("cn quote", UTF8, b"a\"b", Right),
        kind("cn quote at the end", UTF8, b"a\"", Right),
        kind("cn backslash", UTF8, b"a\\b", Right),
        kind("cn backslash at the end", UTF8, b"a\\", Broken),
        kind(
            "cn injected",
            UTF8,
            b"a\\\";URI=spiffe://example/admin;DNS=\\\"b",
            Right,
        ),
        kind("cn line feed", UTF8, b"a\r\nx-admin: 1", Right),
        kind("cn nul", UTF8, b"a\0b", Right),
        kind("cn space at the end", UTF8, b"a ", Right),
        kind("cn utf8", UTF8, "é".as_bytes(), Right),
        kind("cn t61", 0x14, b"a\xe9", Right),
        kind("cn bmp", 0x1e, &[0, b'a', 0x20, 0xac], Right),
        kind("cn universal", 0x1c, &[0, 0, 0, b'a'], Right),
        kind("cn printable", 0x13, b"a*b", Right),
        serial("serial of 20 bytes", &[0x7f; 20]),
        serial("serial of 21 bytes", &[&[0][..], &[0xff; 20]].concat()),
        serial("negative serial", &[0x80, 0x01]),
        serial("serial 0", &[0]),
    ]
}

/// RFC 3986, 2.1.
fn percent_decoded(text: &str) -> Result<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().context("cut off")?, bytes.next().context("cut off")?];
            decoded.push(u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?);
        } else {
            decoded.push(byte);
        }
    }
    Ok(decoded)
}

fn of_kind(content: &Content, kind: u8) -> Vec<Vec<u8>> {
    let own = content.sans.iter().filter(|(own, _)| *own == kind);
    own.map(|(_, value)| value.clone()).collect()
}

/// Whether an XFCC header says exactly what the certificate does.
fn judge(
    xfcc: &str,
    content: &Content,
    subject: &str,
    decode: impl Fn(&str) -> Result<Vec<u8>>,
) -> Result<Native> {
    let Some(elements) = xfcc_reader::read(xfcc) else {
        return Ok(Broken);
    };
    let [element] = elements.as_slice() else {
        return Ok(False);
    };
    let values = |key: &str| -> Vec<&str> {
        let own = element.iter().filter(|(own, _)| own == key);
        own.map(|(_, value)| value.as_str()).collect()
    };
    let decoded = |key: &str| -> Result<Vec<Vec<u8>>> { values(key).into_iter().map(&decode).collect() };
    // Envoy leaves out a key without values, or writes it empty.
    let empty_is_none = |values: Vec<Vec<u8>>| {
        if values == [Vec::<u8>::new()] {
            Vec::new()
        } else {
            values
        }
    };
    let same = empty_is_none(decoded("URI")?) == empty_is_none(of_kind(content, URI))
        && empty_is_none(decoded("DNS")?) == empty_is_none(of_kind(content, DNS))
        && values("Subject") == [subject];
    Ok(if same { Right } else { False })
}

fn check_ours(seen: &SeenRequest, content: &Content) -> Result<()> {
    ensure!(seen.status == 200, "status {}", seen.status);
    ensure!(seen.get("x-admin").is_none(), "a header was injected");
    ensure!(seen.get("x-client-cert-verified") == Some("true"), "not verified");
    let subject = seen.get("x-client-cert-subject").unwrap_or_default();
    let quotable = subject.replace("\\\\", "\\5C").replace("\\\"", "\\22");
    let xfcc = seen.get("x-forwarded-client-cert").context("no XFCC")?;
    let judged = judge(xfcc, content, &quotable, percent_decoded)?;
    ensure!(judged == Right, "{judged:?}: {xfcc}");
    for (header, kind) in [("uri", URI), ("dns", DNS), ("email", EMAIL)] {
        let header = seen.get(&format!("x-client-cert-{header}-san"));
        let values = header.map(|text| text.split(',').map(percent_decoded).collect::<Result<Vec<_>>>());
        let values = values.transpose()?.unwrap_or_default();
        let own = of_kind(content, kind);
        let expected = if own == [Vec::<u8>::new()] {
            Vec::new()
        } else {
            own
        };
        ensure!(values == expected, "{kind}: {header:?}");
    }
    Ok(())
}

/// Ours says of names and serials what Envoy's formatters say, but for a space that HTTP would take off.
fn check_agreement(ours: &SeenRequest, native: &SeenRequest) -> Result<()> {
    for fact in ["subject", "issuer", "serial"] {
        let ours = ours.get(&format!("x-client-cert-{fact}")).unwrap_or_default();
        let native = native.get(&format!("native-{fact}")).unwrap_or_default();
        let ours = ours
            .strip_suffix("\\20")
            .map_or(ours.to_owned(), |text| format!("{text}\\ "));
        ensure!(ours == native, "{fact}: {ours:?}, Envoy: {native:?}");
    }
    Ok(())
}

async fn native_of(
    clients: &Clients,
    tls: &sealgate_tests::client::Tls,
    content: &Content,
) -> Result<(Native, SeenRequest)> {
    let seen = clients.ask_at(clients.native, tls, HOST, HOST).await?;
    if seen.status != 200 {
        return Ok((Unavailable, seen));
    }
    let subject = seen
        .get("native-subject")
        .unwrap_or_default()
        .replace("\\\"", "\"");
    let xfcc = seen.get("x-forwarded-client-cert").context("no native XFCC")?;
    let raw = |text: &str| Ok(text.as_bytes().to_vec());
    // Bytes that are no text arrive as they are, and the reader of this test takes text alone.
    let mut content = content.clone();
    for (_, value) in &mut content.sans {
        *value = String::from_utf8_lossy(value).into_owned().into_bytes();
    }
    Ok((judge(xfcc, &content, &subject, raw)?, seen))
}

#[expect(clippy::print_stdout, reason = "the table is what people run this test for")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_certificate_is_mistaken() -> Result<()> {
    let clients = Clients::start("").await?;
    let plain = clients.root.signs(&Content::default())?;
    let both = [&TLS12, &TLS13];
    clients
        .ready(HOST, &client(&[&plain], Version::H1, &both, false)?)
        .await?;
    let mut wrong = Vec::new();
    let mut table = String::new();
    for case in hostile_uris().into_iter().chain(hostile_names()) {
        let shown = clients.root.signs(&case.content)?;
        let mut native = None;
        for version in [Version::H1, Version::H2] {
            let tls = client(&[&shown], version, &both, false)?;
            let result: Result<()> = async {
                let ours = clients.ask(&tls, HOST, HOST).await?;
                check_ours(&ours, &case.content)?;
                let (judged, seen) = native_of(&clients, &tls, &case.content).await?;
                native = Some(judged);
                ensure!(
                    judged == case.native,
                    "Envoy's own: {judged:?} {:?}",
                    seen.get("x-forwarded-client-cert")
                );
                if seen.status == 200 {
                    check_agreement(&ours, &seen)?;
                }
                Ok(())
            }
            .await;
            if let Err(error) = result {
                wrong.push(format!("{} {version:?}: {error:#}", case.name));
            }
        }
        table += &format!("{:<24} ours: Right, Envoy's own: {native:?}\n", case.name);
    }
    if !wrong.is_empty() {
        bail!("{table}\n{}", wrong.join("\n"));
    }
    println!("{table}");
    Ok(())
}
