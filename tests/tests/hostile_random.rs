//! Random combinations of odd parts of requests, through the real Envoy with the real filter: the filter never fails,
//! ordinary requests are still served, and whatever reaches an upstream reaches the one that `explain` names for what
//! arrived. `SEALGATE_HOSTILE_SEED` chooses others.

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use futures::future::try_join_all;
use sealgate_tests::edge::{Edge, WAYS, Way, rule};
use sealgate_tests::explain::{self, Arrived};
use sealgate_tests::raw::RawRequest;

const ROUNDS: usize = 10;
/// After so many, the filter is looked at.
const ROUND: usize = 20;

const METHODS: &[&str] = &[
    "GET", "GET", "GET", "GET", "POST", "OPTIONS", "PATCH", "CONNECT", "BREW", "get",
];
const HOSTS: &[&[u8]] = &[
    b"app.example",
    b"app.example",
    b"app.example",
    b"APP.example:80",
    b"app.example.",
    b"app.example.:443",
    b"a.wild.example",
    b"A.b.Wild.example",
    b".wild.example",
    b"*.wild.example",
    b"app.example..",
    b"app.example:99999",
    b"app.example:80:80",
    b"[::1]:80",
    b"[",
    b"",
    b"*",
    b"nobody.example",
    b"app_.example",
    b"app.example\xe9",
    b"a@app.example",
];
const PIECES: &[&[u8]] = &[
    b"/",
    b"/",
    b"/",
    b"/api/",
    b"/api",
    b"/exact",
    b"/Re/",
    b"/12",
    b"//",
    b"/./",
    b"/../",
    b"/..",
    b"%2f",
    b"%5C",
    b"\\",
    b"%00",
    b"%61pi",
    b"%2e%2e",
    b"%",
    b"%zz",
    b";",
    b";v=1",
    b"?",
    b"?",
    b"&q=1",
    b"q=1",
    b"#",
    b" ",
    b"\t",
    b"\x80",
    b"\xff",
    "é".as_bytes(),
    b"*",
    b"+",
    b"|",
    b"{}",
    b"http://app.example/",
    b"http:",
    b"@",
    b"\0",
];
const HEADERS: &[(&[u8], &[u8])] = &[
    (b"x-pick", b"1"),
    (b"x-pick", b""),
    (b"x-pick", b"\xff1"),
    (b"x-pick", b"1,1"),
    (b"x-pick", b" 1 "),
    (b"x_pick", b"1"),
    (b"x-odd", b"\x80\x81"),
    (b"x-odd", b"a\tb"),
    (b"x-odd", b"a\x7fb"),
    (b"x\xc3\xa9", b"1"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"upgrade", b"websocket"),
    (b"connection", b"upgrade"),
    (b"host", b"nobody.example"),
    (b"x-forwarded-proto", b"http"),
    (b"x-forwarded-host", b"nobody.example"),
    (b"x-original-url", b"/exact"),
    (b"x-sealgate-cluster", b"outbound|80||stolen.local"),
    (b"cookie", b"a=b; c"),
];

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn request(rng: &mut Rng) -> RawRequest {
    let mut target = if rng.u8(..8) == 0 {
        Vec::new()
    } else {
        b"/".to_vec()
    };
    for _ in 0..rng.usize(..6) {
        target.extend_from_slice(pick(rng, PIECES));
    }
    if rng.u8(..20) == 0 {
        target.extend(vec![pick(rng, b"x/%?"); rng.usize(50_000..62_000)]);
    }
    // Two oddities at once are refused for one of them.
    let host = match rng.u8(..20) {
        0 => None,
        1..=10 => Some(HOSTS[0].to_vec()),
        _ => Some(pick(rng, HOSTS).to_vec()),
    };
    let mut headers = Vec::new();
    for _ in 0..rng.usize(..4) {
        let (name, value) = pick(rng, HEADERS);
        let times = if rng.u8(..12) == 0 { 100 } else { 1 };
        headers.extend(vec![(name.to_vec(), value.to_vec()); times]);
    }
    RawRequest {
        method: pick(rng, METHODS).into(),
        target,
        host,
        headers,
    }
}

fn describe(request: &RawRequest, way: Way) -> String {
    let host = request
        .host
        .as_deref()
        .map(|host| host.escape_ascii().to_string());
    let method = String::from_utf8_lossy(&request.method);
    let target = request.target.escape_ascii().to_string();
    let headers = request.headers.iter().take(4);
    let headers: Vec<_> = headers
        .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()))
        .collect();
    format!("{method} {target:.120} of {host:?} with {headers:?}, {way:?}")
}

async fn try_one(edge: &Edge, request: &RawRequest, way: Way) -> Result<Option<Arrived>> {
    let place = describe(request, way);
    let answer = edge.send(request, way).await.with_context(|| place.clone())?;
    Arrived::read(place, way, &answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_odd_request_harms_the_filter_or_goes_astray() -> Result<()> {
    let seed = std::env::var("SEALGATE_HOSTILE_SEED").ok();
    let seed: u64 = seed.map_or(Ok(5), |text| text.parse())?;
    let rules = rule("uri: {regex: '/re/[0-9]+'}, ignoreUriCase: true", "exact")
        + &rule("uri: {prefix: /RE}, ignoreUriCase: true", "picked")
        + &rule(
            "queryParams: {q: {exact: '1'}}, withoutHeaders: {x-odd: {}}",
            "api",
        );
    let edge = Edge::start(&rules, Vec::new()).await?;
    edge.ready().await?;
    let mut rng = Rng::with_seed(seed);
    let mut arrived = Vec::new();
    for round in 1..=ROUNDS {
        // At once: Envoy takes its time to close after what it refuses.
        let requests: Vec<_> = (0..ROUND).map(|_| request(&mut rng)).collect();
        let tries = requests
            .iter()
            .flat_map(|request| WAYS.map(|way| try_one(&edge, request, way)));
        arrived.extend(try_join_all(tries).await?.into_iter().flatten());
        try_join_all(WAYS.map(|way| edge.ordinary(way))).await?;
        let place = || format!("seed {seed}, round {round}");
        edge.filter_is_well().await.with_context(place)?;
    }
    // Most are refused; if all were, nothing would be seen of routing.
    ensure!(arrived.len() > 100, "only {} arrived", arrived.len());
    explain::agrees(&edge.site, &arrived).with_context(|| format!("seed {seed}"))
}
