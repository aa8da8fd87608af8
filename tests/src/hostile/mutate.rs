//! Damages objects: removes, doubles or changes a field, or bytes of the text.
//!
//! The namespace, name and kind are let be: what is written in the platform's own namespace is no attack, and a smaller
//! name would be an older object.

use fastrand::Rng;
use serde_json::Value;

use super::chance::{anything, once_in};
use super::pools::KNOWN_KILLERS;

/// Where `metadata` ends in the text of an object: `serde_json` writes fields in the order of their names.
const AFTER_METADATA: [&str; 3] = ["\"ports\"", "\"spec\"", "\"subsets\""];

/// An object as the text of a manifest, damaged by chance; none if it is known to kill.
pub(super) fn text(rng: &mut Rng, mut object: Value) -> Option<String> {
    if once_in(rng, 2) {
        for _ in 0..rng.usize(1..4) {
            damage_fields(rng, &mut object);
        }
    }
    let mut text = object.to_string();
    if once_in(rng, 8) {
        text = damage_bytes(rng, &text);
    }
    (!is_known(&text)).then_some(text)
}

fn is_known(text: &str) -> bool {
    KNOWN_KILLERS
        .iter()
        .any(|texts| texts.iter().all(|part| text.contains(part)))
}

/// Damages one value of an object, except its version, kind and metadata.
fn damage_fields(rng: &mut Rng, object: &mut Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    let is_free = |name: &str| !matches!(name, "apiVersion" | "kind" | "metadata");
    let mut free: Vec<_> = fields.iter_mut().filter(|(name, _)| is_free(name)).collect();
    if free.is_empty() {
        return;
    }
    let at = rng.usize(..free.len());
    if let Some((_, value)) = free.get_mut(at) {
        damage(rng, value);
    }
}

/// Goes down some way, and damages what is there.
fn damage(rng: &mut Rng, value: &mut Value) {
    match value {
        Value::Object(map) if !map.is_empty() && !once_in(rng, 12) => {
            let at = rng.usize(..map.len());
            let name = map.keys().nth(at).cloned().unwrap_or_default();
            match rng.u8(..12) {
                0 => drop(map.remove(&name)),
                1 => drop(map.insert(format!("{name}x"), anything(rng))),
                _ => {
                    if let Some(below) = map.get_mut(&name) {
                        damage(rng, below);
                    }
                }
            }
        }
        Value::Array(all) if !all.is_empty() && !once_in(rng, 12) => {
            let at = rng.usize(..all.len());
            match rng.u8(..12) {
                0 => drop(all.remove(at)),
                1 => {
                    let again = all.get(at).cloned().unwrap_or_default();
                    all.extend(std::iter::repeat_n(again, rng.usize(1..30)));
                }
                2 => all.reverse(),
                _ => {
                    if let Some(below) = all.get_mut(at) {
                        damage(rng, below);
                    }
                }
            }
        }
        other => *other = anything(rng),
    }
}

/// Flips, cuts or doubles something behind the metadata.
fn damage_bytes(rng: &mut Rng, text: &str) -> String {
    let from = AFTER_METADATA.iter().filter_map(|name| text.rfind(name)).min();
    let (head, tail) = text.split_at(from.unwrap_or(text.len()));
    let mut bytes = tail.as_bytes().to_vec();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=bytes.len());
        let end = (at + rng.usize(1..40)).min(bytes.len());
        match rng.u8(..3) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.u8(..8);
                }
            }
            1 => drop(bytes.drain(at..end)),
            _ => {
                let part = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    // A manifest is a file: what is no UTF-8 would be refused as a whole, every time.
    format!("{head}{}", String::from_utf8_lossy(&bytes))
}

#[cfg(test)]
mod tests {
    use super::super::grammar::object;
    use super::super::ground::Ground;
    use super::*;

    fn texts(seed: u64, count: usize) -> Vec<String> {
        let mut rng = Rng::with_seed(seed);
        let ground = Ground {
            stolen: 4000,
            ports: vec![4001],
        };
        let made = (0..count).map(|_| {
            let object = object(&mut rng, &ground);
            text(&mut rng, object)
        });
        made.flatten().collect()
    }

    #[test]
    fn a_seed_makes_the_same_objects_again() {
        assert_eq!(texts(7, 200), texts(7, 200));
        assert_ne!(texts(7, 200), texts(8, 200));
    }

    #[test]
    fn no_object_is_the_platforms_or_older_than_its() {
        let mut read = 0;
        for text in texts(1, 5_000) {
            let namespaces = ["evil", "evil-too", "default"].map(|name| format!("\"namespace\":\"{name}\""));
            assert!(namespaces.iter().any(|own| text.contains(own)), "{text}");
            let Ok(object) = serde_json::from_str::<Value>(&text) else {
                continue;
            };
            read += 1;
            let name = object["metadata"]["name"].as_str().unwrap();
            assert!(name > "a-zzz", "{text}");
        }
        assert!(read > 3_000, "{read} of 5000 are objects at all");
    }

    #[test]
    fn every_kind_is_made_damaged_and_whole() {
        let texts = texts(2, 3_000);
        for kind in [
            "Gateway",
            "VirtualService",
            "ServiceEntry",
            "DestinationRule",
            "Service",
            "Endpoints",
            "EndpointSlice",
        ] {
            let kind = format!("\"kind\":\"{kind}\"");
            assert!(texts.iter().any(|text| text.contains(&kind)), "no {kind}");
        }
        let broken = texts
            .iter()
            .filter(|text| serde_json::from_str::<Value>(text).is_err())
            .count();
        assert!((100..1_500).contains(&broken), "{broken}");
    }
}
