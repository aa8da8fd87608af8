//! The changes that are measured: each is written, and looked for.

use std::time::Instant;

use anyhow::Result;
use serde_json::Value;

use super::line::Line;
use super::objects::{Route, VERSION, entry, gateway};
use super::place::Place;
use super::poll::{Kind, LIMIT, Seen, Target, appears, until, until_host};
use super::stand::{MOVED, RULE, Stand, UPSTREAMS};
use crate::client::Answer;
use crate::pki::Leaf;

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A new path of an old TLS host, with a new service.
    Route,
    /// A new host of port 80, with a new service.
    PlainRoute,
    /// Another rule in an old VirtualService.
    Rule,
    /// Another endpoint of an old service.
    Endpoint,
    /// A new TLS host with a certificate of its own; its service is an old one.
    Host,
}

impl What {
    /// The beginning of the keys of its figures.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Route => "new_route",
            Self::PlainRoute => "new_plain_route",
            Self::Rule => "vs",
            Self::Endpoint => "endpoint",
            Self::Host => "new_host",
        }
    }
}

/// What is written.
#[derive(Debug)]
struct Writing {
    /// The file.
    unit: String,
    objects: Vec<Value>,
    secret: Option<(String, Leaf)>,
    /// It stands in the place of an earlier one.
    is_change: bool,
}

impl Writing {
    async fn carry_out(&self, place: &Place) -> Result<()> {
        let objects = self.objects.clone();
        if self.is_change {
            return place.change(&self.unit, objects).await;
        }
        let secret = async {
            match &self.secret {
                Some((name, leaf)) => place.create_secret(name, leaf).await,
                None => Ok(()),
            }
        };
        tokio::try_join!(secret, place.create(&self.unit, objects)).map(drop)
    }

    async fn undo(self, place: &Place) -> Result<()> {
        if self.is_change {
            return Ok(());
        }
        place.remove(&self.unit, self.objects).await?;
        match &self.secret {
            Some((name, _)) => place.remove_secret(name).await,
            None => Ok(()),
        }
    }
}

/// How it is told that it is served.
#[derive(Clone, Debug)]
enum Mark {
    /// It answers at all.
    Appears,
    /// By the version.
    Version(String),
    /// By the upstream's name.
    Upstream(&'static str),
}

impl Mark {
    fn kind(&self, answer: &Answer) -> Kind {
        let is_new = match self {
            Self::Appears => return appears(answer),
            Self::Version(version) => answer.headers.get(VERSION).is_some_and(|value| value == version),
            Self::Upstream(name) => answer.body.lines().next() == Some(name),
        };
        match (answer.status, is_new) {
            (200, true) => Kind::New,
            (200, false) => Kind::Old,
            _ => Kind::Wrong,
        }
    }
}

/// One change, before and after it is written.
#[derive(Debug)]
pub(super) struct Change {
    writing: Writing,
    route: Route,
    mark: Mark,
    line: Line,
}

impl Change {
    /// The next one; nothing is written yet.
    pub(super) fn next(stand: &Stand, what: What) -> Result<Self> {
        let turn = stand.fresh();
        let named = format!("new-{turn}");
        // Spread over the hosts.
        let old_host = turn * 7919 % stand.size.hosts;
        let service = || entry(&named, stand.upstreams.port(0));
        let (route, objects, mark) = match what {
            What::Route => {
                let route = Route::new(&named, old_host);
                (route.clone(), vec![route.object("0"), service()], Mark::Appears)
            }
            What::PlainRoute => {
                let route = Route::plain(&named);
                (route.clone(), vec![route.object("0"), service()], Mark::Appears)
            }
            What::Rule => {
                let (route, version) = (stand.rule(), format!("v{turn}"));
                (
                    route.clone(),
                    vec![route.object(&version)],
                    Mark::Version(version),
                )
            }
            What::Endpoint => {
                let at = stand.next_upstream();
                let name = UPSTREAMS.get(at).copied().unwrap_or_default();
                (stand.moved(), vec![stand.endpoint(at)], Mark::Upstream(name))
            }
            What::Host => {
                let mut route = Route::new(&named, stand.size.hosts + turn);
                route.service = stand.old_service();
                let objects = vec![gateway(&route.gateway, &route.host), route.object("0")];
                (route, objects, Mark::Appears)
            }
        };
        let secret = match what {
            What::Host => Some((route.gateway.clone(), stand.authority.leaf(&[&route.host])?)),
            _ => None,
        };
        let (port, tls) = match what {
            What::PlainRoute => (stand.machine.http, None),
            _ => (stand.machine.https, Some(stand.tls.clone())),
        };
        let unit = match what {
            What::Rule => RULE.to_owned(),
            What::Endpoint => MOVED.to_owned(),
            _ => named,
        };
        Ok(Self {
            writing: Writing {
                unit,
                objects,
                secret,
                is_change: matches!(what, What::Rule | What::Endpoint),
            },
            line: Line::new(port, &route.host, tls),
            route,
            mark,
        })
    }

    /// Writes it, without looking.
    pub(super) async fn carry_out(&self, stand: &Stand) -> Result<()> {
        self.writing.carry_out(&stand.place).await
    }

    /// Writes it, and looks from that moment on until it is served.
    pub(super) async fn timed(&mut self, stand: &Stand) -> Result<Seen> {
        let path = self.route.path();
        if let Some((_, leaf)) = &self.writing.secret {
            let target = Target {
                port: stand.machine.https,
                host: &self.route.host,
                path: &path,
                leaf: &leaf.der,
                tls: &stand.tls,
                limit: LIMIT,
            };
            let start = Instant::now();
            let write = self.writing.carry_out(&stand.place);
            return Ok(tokio::try_join!(write, until_host(&target, start))?.1);
        }
        // The connection is there before.
        self.line.get(&path).await?;
        let start = Instant::now();
        let write = self.writing.carry_out(&stand.place);
        let poll = until(&mut self.line, &path, start, |answer| self.mark.kind(answer));
        Ok(tokio::try_join!(write, poll)?.1)
    }

    /// Looks once.
    pub(super) async fn is_served(&mut self) -> bool {
        let answer = self.line.get(&self.route.path()).await;
        answer.is_ok_and(|answer| self.mark.kind(&answer) == Kind::New)
    }

    /// Takes away what it brought.
    pub(super) async fn undo(self, stand: &Stand) -> Result<()> {
        self.writing.undo(&stand.place).await
    }
}
