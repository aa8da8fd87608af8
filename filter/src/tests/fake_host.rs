//! A fake Envoy: it has headers, properties and shared data, and a script that changes its answers. No real host can be
//! made to fail in these ways.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::abi::{HeaderMap, Host, NOT_FOUND, OK};
use crate::host::HeaderPairs;

/// Envoy's status for headers that no longer or do not yet exist.
const BAD_ARGUMENT: u32 = 2;

/// A call, by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FakeCall {
    Pairs(HeaderMap),
    Value(HeaderMap),
    Replace(HeaderMap),
    Add(HeaderMap),
    Remove(HeaderMap),
    Respond,
    Property,
    Configuration,
    Shared,
    Share,
    Define,
    Increment,
    Log,
}

impl FakeCall {
    /// Whether "not found" is a valid answer to it, not a failure.
    pub(super) fn may_find_nothing(self) -> bool {
        matches!(
            self,
            Self::Value(_) | Self::Property | Self::Configuration | Self::Shared
        )
    }

    /// Whether it returns more than a status.
    pub(super) fn gives_something(self) -> bool {
        self.may_find_nothing() || matches!(self, Self::Pairs(_))
    }

    /// Whether nothing depends on it.
    pub(super) fn is_for_people(self) -> bool {
        matches!(self, Self::Define | Self::Increment | Self::Log)
    }
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It is done.
    Honest,
    /// It is not done.
    Failed(u32),
    /// It is done, but reported as failed.
    DoneAndFailed(u32),
    /// It is done, but the returned value is damaged.
    Damaged(Damage),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    Missing,
    Empty,
    /// By its last byte.
    Shorter,
    Longer,
    /// Its first byte is another one.
    Changed,
}

/// By the number of the call since the script was installed.
pub(super) type Script = Box<dyn Fn(usize, FakeCall) -> Reply>;

/// See the module.
pub(super) struct FakeHost {
    script: RefCell<Script>,
    asked: RefCell<Vec<FakeCall>>,
    pub(super) maps: RefCell<BTreeMap<HeaderMap, HeaderPairs>>,
    pub(super) properties: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
    pub(super) configuration: RefCell<Vec<u8>>,
    pub(super) shared: RefCell<BTreeMap<String, Vec<u8>>>,
    /// The statuses of HTTP and gRPC.
    pub(super) answers: RefCell<Vec<(u32, i32)>>,
    /// Their headers in the ABI's form, and their bodies.
    pub(super) sent: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
    counted: Cell<u32>,
}

impl FakeHost {
    pub(super) fn new() -> Self {
        Self {
            script: RefCell::new(Box::new(|_, _| Reply::Honest)),
            asked: RefCell::default(),
            maps: RefCell::default(),
            properties: RefCell::default(),
            configuration: RefCell::default(),
            shared: RefCell::default(),
            answers: RefCell::default(),
            sent: RefCell::default(),
            counted: Cell::new(0),
        }
    }

    /// Follows a script from now on.
    pub(super) fn follow(&self, script: Script) {
        self.asked.borrow_mut().clear();
        *self.script.borrow_mut() = script;
    }

    /// The calls since then.
    pub(super) fn asked(&self) -> Vec<FakeCall> {
        self.asked.borrow().clone()
    }

    pub(super) fn headers(&self, map: HeaderMap) -> HeaderPairs {
        self.maps.borrow().get(&map).cloned().unwrap_or_default()
    }

    pub(super) fn set_headers(&self, map: HeaderMap, pairs: &[(&str, &str)]) {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        self.maps.borrow_mut().insert(map, pairs.collect());
    }

    fn reply(&self, call: FakeCall) -> Reply {
        let mut asked = self.asked.borrow_mut();
        asked.push(call);
        self.script.borrow()(asked.len() - 1, call)
    }

    fn act(&self, call: FakeCall, act: impl FnOnce() -> u32) -> u32 {
        match self.reply(call) {
            Reply::Honest | Reply::Damaged(_) => act(),
            Reply::Failed(status) => status,
            Reply::DoneAndFailed(status) => {
                act();
                status
            }
        }
    }

    fn give(&self, call: FakeCall, to: &mut Option<Vec<u8>>, value: Result<Option<Vec<u8>>, u32>) -> u32 {
        let reply = self.reply(call);
        if let Reply::Failed(status) | Reply::DoneAndFailed(status) = reply {
            return status;
        }
        let value = match value {
            Ok(Some(value)) => value,
            Ok(None) => return NOT_FOUND,
            Err(status) => return status,
        };
        // The ABI has no empty values.
        *to = Some(value).filter(|value| !value.is_empty());
        if let Reply::Damaged(damage) = reply {
            spoil(damage, to);
        }
        OK
    }

    fn change(&self, call: FakeCall, map: HeaderMap, change: impl FnOnce(&mut HeaderPairs)) -> u32 {
        self.act(call, || match self.maps.borrow_mut().get_mut(&map) {
            Some(pairs) => {
                change(pairs);
                OK
            }
            None => BAD_ARGUMENT,
        })
    }
}

fn spoil(damage: Damage, value: &mut Option<Vec<u8>>) {
    match damage {
        Damage::Missing => *value = None,
        Damage::Empty => *value = Some(Vec::new()),
        Damage::Shorter => drop(value.as_mut().and_then(Vec::pop)),
        Damage::Longer => value.get_or_insert_default().push(b'x'),
        Damage::Changed => {
            if let Some(first) = value.as_mut().and_then(|value| value.first_mut()) {
                *first ^= 0xff;
            }
        }
    }
}

/// Independent of the filter's own reader.
fn encode(pairs: &HeaderPairs) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
    let lengths = pairs
        .iter()
        .flat_map(|(name, value)| [number(name.len()), number(value.len())].concat());
    let texts = pairs
        .iter()
        .flat_map(|(name, value)| [name.as_bytes(), b"\0", value, b"\0"].concat());
    let count = number(pairs.len());
    count.into_iter().chain(lengths).chain(texts).collect()
}

impl Host for FakeHost {
    fn header_map_pairs(&self, map: HeaderMap, pairs: &mut Option<Vec<u8>>) -> u32 {
        let encoded = self.maps.borrow().get(&map).map(encode);
        self.give(FakeCall::Pairs(map), pairs, encoded.map(Some).ok_or(BAD_ARGUMENT))
    }

    fn header_map_value(&self, map: HeaderMap, name: &str, value: &mut Option<Vec<u8>>) -> u32 {
        let maps = self.maps.borrow();
        let first = |pairs: &HeaderPairs| {
            let mut pairs = pairs.iter();
            let found = pairs.find(|(own, _)| own == name);
            found.map(|(_, value)| value.clone())
        };
        let found = maps.get(&map).map(first).ok_or(BAD_ARGUMENT);
        self.give(FakeCall::Value(map), value, found)
    }

    fn replace_header_map_value(&self, map: HeaderMap, name: &str, value: &[u8]) -> u32 {
        self.change(FakeCall::Replace(map), map, |pairs| {
            pairs.retain(|(own, _)| own != name);
            pairs.push((name.to_owned(), value.to_vec()));
        })
    }

    fn add_header_map_value(&self, map: HeaderMap, name: &str, value: &[u8]) -> u32 {
        self.change(FakeCall::Add(map), map, |pairs| {
            pairs.push((name.to_owned(), value.to_vec()));
        })
    }

    fn remove_header_map_value(&self, map: HeaderMap, name: &str) -> u32 {
        self.change(FakeCall::Remove(map), map, |pairs| {
            pairs.retain(|(own, _)| own != name);
        })
    }

    fn send_local_response(&self, status: u32, grpc_status: i32, headers: &[u8], body: &[u8]) -> u32 {
        self.act(FakeCall::Respond, || {
            self.answers.borrow_mut().push((status, grpc_status));
            self.sent.borrow_mut().push((headers.to_vec(), body.to_vec()));
            OK
        })
    }

    fn property(&self, path: &[u8], value: &mut Option<Vec<u8>>) -> u32 {
        let found = self.properties.borrow().get(path).cloned();
        self.give(FakeCall::Property, value, Ok(found))
    }

    fn plugin_configuration(&self, _: usize, value: &mut Option<Vec<u8>>) -> u32 {
        let found = self.configuration.borrow().clone();
        self.give(FakeCall::Configuration, value, Ok(Some(found)))
    }

    fn shared_data(&self, key: &str, value: &mut Option<Vec<u8>>) -> u32 {
        let found = self.shared.borrow().get(key).cloned();
        self.give(FakeCall::Shared, value, Ok(found))
    }

    fn set_shared_data(&self, key: &str, value: &[u8]) -> u32 {
        self.act(FakeCall::Share, || {
            self.shared.borrow_mut().insert(key.to_owned(), value.to_vec());
            OK
        })
    }

    fn define_counter(&self, _: &str, id: &mut u32) -> u32 {
        self.act(FakeCall::Define, || {
            *id = 7;
            OK
        })
    }

    fn increment_metric(&self, _: u32, offset: i64) -> u32 {
        self.act(FakeCall::Increment, || {
            self.counted
                .set(self.counted.get() + u32::try_from(offset).unwrap());
            OK
        })
    }

    fn log_error(&self, _: &str) -> u32 {
        self.act(FakeCall::Log, || OK)
    }
}
