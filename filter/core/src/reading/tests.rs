use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::config::VirtualServiceSpec;
use crate::identity::{IdentityConfig, Xfcc};

#[derive(Debug, PartialEq, Deserialize)]
struct Sample {
    number: u16,
    #[serde(default)]
    real: Option<f64>,
}

fn wrong<T: DeserializeOwned + fmt::Debug>(value: &Value) -> (String, String) {
    let Misread { place, reason } = read::<T>(value, "root").unwrap_err();
    (place, reason)
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    for (spec, place, reason) in [
        (json!({"host": []}), "root.host", "this key is not known"),
        (json!([]), "root", "invalid type: sequence"),
        (json!("x"), "root", "invalid type: string \"x\""),
        (json!({"hosts": "a"}), "root.hosts", "invalid type"),
        (json!({"hosts": ["a", 1]}), "root.hosts[1]", "invalid type"),
        (
            json!({"http": [{}, {"match": [{"uri": {"prefx": "/"}}]}]}),
            "root.http[1].match[0].uri.prefx",
            "this key is not known; the known ones are exact, prefix, regex",
        ),
        (
            json!({"http": [{"match": [{"headers": {"x-a": {"exact": 1}}}]}]}),
            "root.http[0].match[0].headers[x-a].exact",
            "invalid type",
        ),
        (
            json!({"http": [{"route": [{"destination": {"port": [443]}}]}]}),
            "root.http[0].route[0].destination.port",
            "invalid type: sequence",
        ),
        (
            json!({"http": [{"route": [{"destination": {"port": {"number": 4.5}}}]}]}),
            "root.http[0].route[0].destination.port.number",
            "invalid type: floating point",
        ),
        (
            json!({"http": [{"route": [{"destination": {"port": {"number": -1}}}]}]}),
            "root.http[0].route[0].destination.port.number",
            "invalid value: integer `-1`",
        ),
    ] {
        let (found, why) = wrong::<VirtualServiceSpec>(&spec);
        assert_eq!(found, place, "{spec}");
        assert!(why.contains(reason), "{spec}: {why}");
    }
    let (place, reason) = wrong::<IdentityConfig>(&json!({"xfcc": "sometimes"}));
    assert_eq!(place, "root.xfcc");
    assert!(reason.contains("unknown variant `sometimes`, expected one of `sanitizeSet`"));
    assert_eq!(
        wrong::<IdentityConfig>(&json!({"xfcc": {"off": 1}})).0,
        "root.xfcc"
    );
    assert_eq!(
        wrong::<IdentityConfig>(&json!({"headers": ["tls", "tsl"]})).0,
        "root.headers[1]"
    );
}

#[test]
fn whole_numbers_may_be_written_as_others() {
    for number in [json!(443), json!(443.0), json!(4.43e2)] {
        let sample = Sample {
            number: 443,
            real: None,
        };
        assert_eq!(read(&json!({"number": number}), ""), Ok(sample));
    }
    let read = |value: Value| read::<Sample>(&value, "").map(|sample| sample.real);
    assert_eq!(read(json!({"number": 1, "real": 2})), Ok(Some(2.0)));
    assert_eq!(read(json!({"number": 1, "real": 0.5})), Ok(Some(0.5)));
    assert_eq!(read(json!({"number": 1, "real": null})), Ok(None));
    assert_eq!(read(json!({"number": 1e300})).unwrap_err().place, "number");
    assert_eq!(read(json!({"number": 65536})).unwrap_err().place, "number");
    assert_eq!(read(json!({})).unwrap_err().reason, "missing field `number`");
}

#[test]
fn the_word_off_may_have_become_false() {
    let read = |value: Value| read::<IdentityConfig>(&value, "").map(|config| config.xfcc);
    assert_eq!(read(json!({"xfcc": "off"})), Ok(Xfcc::Off));
    assert_eq!(read(json!({"xfcc": false})), Ok(Xfcc::Off));
    assert_eq!(read(json!({"xfcc": true})).unwrap_err().place, "xfcc");
    assert_eq!(
        read(json!({"unverified": false})).unwrap_err().place,
        "unverified"
    );
}

#[test]
fn keys_are_those_that_are_known() {
    let value = json!({"a": 1});
    assert!(keys(Some(&value), "", &["a"]).unwrap().is_some());
    assert_eq!(keys(None, "", &[]), Ok(None));
    assert_eq!(keys(Some(&Value::Null), "", &[]), Ok(None));
    let stranger = keys(Some(&value), "x", &["b", "c"]).unwrap_err();
    assert_eq!(
        (stranger.place.as_str(), stranger.reason.as_str()),
        ("x.a", "this key is not known; the known ones are b, c")
    );
    assert_eq!(keys(Some(&json!([])), "x", &[]).unwrap_err().place, "x");
}
