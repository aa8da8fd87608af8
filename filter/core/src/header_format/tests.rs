use super::*;

struct Known;

impl Facts for Known {
    fn fact(&self, fact: Fact) -> Option<Vec<u8>> {
        let text: &[u8] = match fact {
            Fact::RemoteAddress => b"[2001:db8::1]:4711",
            Fact::LocalAddress => b"192.0.2.1:443",
            Fact::Protocol => b"HTTP/2",
            Fact::PeerSubject => b"CN=a\r\nx: y",
            Fact::StartTime => &[0; 8],
            Fact::ResponseCode => b"200",
            _ => return None,
        };
        Some(text.to_vec())
    }

    fn request_header(&self, name: &str) -> Option<Vec<u8>> {
        (name == "x-a").then(|| b"abcdef".to_vec())
    }
}

#[test]
fn commands_are_replaced_as_envoy_does() {
    for (format, expected) in [
        ("%DOWNSTREAM_REMOTE_ADDRESS%", Some("[2001:db8::1]:4711")),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", Some("2001:db8::1")),
        ("%DOWNSTREAM_REMOTE_PORT%", Some("4711")),
        ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", Some("192.0.2.1")),
        ("a%DOWNSTREAM_LOCAL_PORT%b", Some("a443b")),
        ("%PROTOCOL% 100%%", Some("HTTP/2 100%")),
        ("%REQ(X-A)%", Some("abcdef")),
        ("%REQ(X-A):3%", Some("abc")),
        ("%REQ(x-b?x-a):0%", None),
        ("%REQ(x-b?X-A)%|%REQ(x-a?x-b)%", Some("abcdef|abcdef")),
        ("%REQ(x-b)%", None),
        ("<%REQ(x-b)%>", Some("<>")),
        ("%REQUESTED_SERVER_NAME%", None),
        ("%DOWNSTREAM_PEER_SUBJECT%", Some("CN=ax: y")),
        ("%START_TIME%", Some("1970-01-01T00:00:00.000Z")),
    ] {
        assert_eq!(read(format, true), Ok(HeaderValue::Format(format.to_owned())));
        let found = value(format, &Known).map(|value| String::from_utf8(value).unwrap());
        assert_eq!(found.as_deref(), expected, "{format}");
    }
}

#[test]
fn what_cannot_be_had_is_named() {
    let unknown = |name: &str| Err(BadFormat::Unknown(name.to_owned()));
    let argument = |name: &str| Err(BadFormat::Argument(name.to_owned()));
    for (text, expected) in [
        ("100%", Err(BadFormat::Percent)),
        ("%", Err(BadFormat::Percent)),
        ("%20", Err(BadFormat::Percent)),
        ("-----BEGIN%20CERTIFICATE-----%0A", Err(BadFormat::Percent)),
        ("%REQ(x-a%", Err(BadFormat::Percent)),
        ("%PROTOCOL:%", Err(BadFormat::Percent)),
        ("%HOSTNAME%", unknown("HOSTNAME")),
        ("%UPSTREAM_HOST%", unknown("UPSTREAM_HOST")),
        ("%DYNAMIC_METADATA(a:b)%", unknown("DYNAMIC_METADATA")),
        ("%REQ%", argument("REQ")),
        ("%REQ()%", argument("REQ")),
        ("%REQ(a b)%", argument("REQ")),
        ("%START_TIME(%s)%", argument("START_TIME")),
        ("%PROTOCOL:3%", argument("PROTOCOL")),
        ("%RESPONSE_CODE%", Err(BadFormat::TooEarly)),
    ] {
        assert_eq!(read(text, true), expected, "{text}");
    }
    assert_eq!(read(&"%PROTOCOL%".repeat(17), true), Err(BadFormat::Many));
    assert!(read("%RESPONSE_CODE%", false).is_ok());
    for (text, plain) in [("100%%", "100%"), ("%%PROTOCOL%%", "%PROTOCOL%"), ("", "")] {
        assert_eq!(read(text, true), Ok(HeaderValue::Plain(plain.to_owned())));
    }
}

#[test]
fn people_see_what_is_known() {
    let format = "%REQ(x-a):2% %REQUESTED_SERVER_NAME% %PROTOCOL%";
    let shown = |format| shown(format, &Known).map(|value| String::from_utf8(value).unwrap());
    assert_eq!(
        shown(format).as_deref(),
        Some("ab %REQUESTED_SERVER_NAME% HTTP/2")
    );
    assert_eq!(shown("%REQ(x-b)%"), None);
}
