//! The measured changes: each is written, and then observed.

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
    /// A new TLS host with its own certificate, and an old service.
    Host,
}

impl What {
    /// The prefix of the keys of its figures.
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

/// A name that no earlier change had.
fn named(turn: usize) -> String {
    format!("new-{turn}")
}

/// Where the change is visible.
fn place(stand: &Stand, what: What, turn: usize) -> Route {
    match what {
        // Spread over the hosts.
        What::Route => Route::new(&named(turn), turn * 7919 % stand.size.hosts),
        What::PlainRoute => Route::plain(&named(turn)),
        What::Rule => stand.rule(),
        What::Endpoint => stand.moved(),
        What::Host => Route {
            service: stand.old_service(),
            ..Route::new(&named(turn), stand.size.hosts + turn)
        },
    }
}

/// What a change writes.
#[derive(Debug, Default)]
struct Writing {
    /// The file.
    unit: String,
    /// The destinations of routes: in the same file, or separate objects that exist before.
    services: Vec<Value>,
    objects: Vec<Value>,
    secret: Option<(String, Leaf)>,
    /// Whether it replaces an earlier one.
    is_change: bool,
}

impl Writing {
    /// In an API server, where every object comes separately, a service is created before a route to it.
    async fn prepare(&self, place: &Place) -> Result<()> {
        match place {
            Place::Directory(_) => Ok(()),
            Place::Kubernetes(_) => place.create(&self.unit, self.services.clone()).await,
        }
    }

    async fn carry_out(&self, place: &Place) -> Result<()> {
        let objects = match place {
            Place::Directory(_) => self.all(),
            Place::Kubernetes(_) => self.objects.clone(),
        };
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
        place.remove(&self.unit, self.all()).await?;
        match &self.secret {
            Some((name, _)) => place.remove_secret(name).await,
            None => Ok(()),
        }
    }

    fn all(&self) -> Vec<Value> {
        self.services.iter().chain(&self.objects).cloned().collect()
    }
}

/// How to recognize that it is served.
#[derive(Clone, Debug)]
enum Mark {
    /// It answers.
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
    /// Prepares the next one; nothing is written yet.
    pub(super) fn next(stand: &Stand, what: What) -> Result<Self> {
        let turn = stand.fresh();
        let route = place(stand, what, turn);
        let mut writing = Writing {
            unit: named(turn),
            is_change: matches!(what, What::Rule | What::Endpoint),
            ..Writing::default()
        };
        let mut mark = Mark::Appears;
        match what {
            What::Route | What::PlainRoute => {
                writing.services.push(entry(&route.name, stand.upstreams.port(0)));
                writing.objects.push(route.object("0"));
            }
            What::Rule => {
                RULE.clone_into(&mut writing.unit);
                writing.objects.push(route.object(&named(turn)));
                mark = Mark::Version(named(turn));
            }
            What::Endpoint => {
                let at = stand.next_upstream();
                MOVED.clone_into(&mut writing.unit);
                writing.objects.push(stand.endpoint(at));
                mark = Mark::Upstream(UPSTREAMS.get(at).copied().unwrap_or_default());
            }
            What::Host => {
                let leaf = stand.authority.leaf(&[&route.host])?;
                writing.secret = Some((route.gateway.clone(), leaf));
                writing.objects.push(gateway(&route.gateway, &route.host));
                writing.objects.push(route.object("0"));
            }
        }
        let line = match what {
            What::PlainRoute => Line::new(stand.machine.http, &route.host, None),
            _ => Line::new(stand.machine.https, &route.host, Some(stand.tls.clone())),
        };
        Ok(Self {
            writing,
            route,
            mark,
            line,
        })
    }

    /// Writes it, without observing.
    pub(super) async fn carry_out(&self, stand: &Stand) -> Result<()> {
        self.writing.prepare(&stand.place).await?;
        self.writing.carry_out(&stand.place).await
    }

    /// Writes it, and observes from then on until it is served.
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
        // Connects before the measurement.
        self.line.get(&path).await?;
        self.writing.prepare(&stand.place).await?;
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

    /// Removes what it added.
    pub(super) async fn undo(self, stand: &Stand) -> Result<()> {
        self.writing.undo(&stand.place).await
    }
}
