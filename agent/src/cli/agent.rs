//! A running agent, asked over its admin interface.

use std::env;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::admin::status::Status;
use crate::admin::{TokenError, read_token};
use crate::args::AgentArgs;

/// Where the agent in the same environment listens, if nothing else is said.
const VARIABLE: &str = "SEALGATE_ADMIN";
const DEFAULT: &str = "127.0.0.1:15080";
/// In which the agent has to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// In which it has to answer: the admin interface ends every connection after a minute.
const ANSWER: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum AgentError {
    /// Nobody listens there, or does not answer.
    #[error("--admin {0}: cannot reach the agent: {1}")]
    Unreachable(String, String),
    /// It has no admin interface.
    #[error("SEALGATE_ADMIN=off: the agent has no admin interface; name another agent with --admin")]
    Off,
    /// It cannot listen there.
    #[error("SEALGATE_ADMIN={0}: expected ADDRESS:PORT or off")]
    Variable(String),
    /// There is no runtime to ask with.
    #[error("cannot ask the agent: {0}")]
    Start(#[from] io::Error),
    /// There is no token.
    #[error("--admin-token-file {0}")]
    Token(TokenError),
    /// It asks for another token, or for one at all.
    #[error("--admin {0}: the agent requires a token, and the right one was not given (--admin-token-file)")]
    Unauthorized(String),
    /// It knows no such path.
    #[error("--admin {0}: the agent has no {1}: is it an older version?")]
    Missing(String, String),
    /// It answers otherwise.
    #[error("--admin {0}: the agent answers {1}: {2}")]
    Refused(String, StatusCode, String),
    /// No server takes it.
    #[error("the request is too long to ask a running agent about it")]
    TooLong,
    /// It does not know yet what there is.
    #[error("--admin {0}: the agent's first list is not complete: it cannot judge yet")]
    Unsynced(String),
    /// It answers, and not what was asked for.
    #[error("--admin {0}: the agent's answer cannot be read: {1}")]
    Unreadable(String, String),
}

/// See the module.
pub(super) struct AgentClient {
    address: String,
    /// The whole value of the header.
    authorization: Option<HeaderValue>,
    runtime: Runtime,
    /// The agent ends it after a minute, or sooner.
    connection: Option<AgentSender>,
}

impl AgentClient {
    pub(super) fn new(args: &AgentArgs) -> Result<Self, AgentError> {
        Ok(Self {
            address: address(args.admin.as_deref())?,
            authorization: args.admin_token_file.as_deref().map(authorization).transpose()?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            connection: None,
        })
    }

    /// Everything that the agent says of itself.
    pub(super) fn status(&mut self) -> Result<Status, AgentError> {
        let answer = self.get("/api/status")?;
        serde_json::from_slice(answer.body())
            .map_err(|error| AgentError::Unreadable(self.address.clone(), error.to_string()))
    }

    /// The same, once it has read all objects: until then it has nothing to find fault with.
    pub(super) fn synced(&mut self) -> Result<Status, AgentError> {
        let status = self.status()?;
        if status.synced {
            Ok(status)
        } else {
            Err(AgentError::Unsynced(self.address.clone()))
        }
    }

    /// A path's answer, if it is a good one.
    pub(super) fn get(&mut self, path: &str) -> Result<Response<Bytes>, AgentError> {
        let request = AgentRequest {
            host: &self.address,
            path,
            authorization: self.authorization.as_ref(),
        };
        let (connection, answer) =
            self.runtime
                .block_on(fetch(self.connection.take(), request, &self.address));
        self.connection = connection;
        let answer = answer.map_err(|reason| AgentError::Unreachable(self.address.clone(), reason))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let address = self.address.clone();
        let said = String::from_utf8_lossy(answer.body());
        let said = said.lines().next().unwrap_or_default();
        Err(match answer.status() {
            StatusCode::NOT_FOUND => {
                let path = path.split('?').next().unwrap_or_default();
                AgentError::Missing(address, path.to_owned())
            }
            StatusCode::UNAUTHORIZED => AgentError::Unauthorized(address),
            status => AgentError::Refused(address, status, said.to_owned()),
        })
    }
}

/// The address to ask: that of the flag, else that of the agent in the same environment.
fn address(flag: Option<&str>) -> Result<String, AgentError> {
    if let Some(address) = flag {
        return Ok(address.to_owned());
    }
    match env::var_os(VARIABLE) {
        Some(listens) if !listens.is_empty() => reachable(&listens.to_string_lossy()),
        _ => Ok(DEFAULT.to_owned()),
    }
}

/// How an agent is reached that listens there: at all addresses is also at loopback.
fn reachable(listens: &str) -> Result<String, AgentError> {
    if listens == "off" {
        return Err(AgentError::Off);
    }
    let address: SocketAddr = listens
        .parse()
        .map_err(|_| AgentError::Variable(listens.to_owned()))?;
    let port = address.port();
    let address: SocketAddr = match address {
        SocketAddr::V4(own) if own.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, port).into(),
        SocketAddr::V6(own) if own.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, port).into(),
        address => address,
    };
    Ok(address.to_string())
}

fn authorization(path: &Path) -> Result<HeaderValue, AgentError> {
    let token = read_token(path).map_err(AgentError::Token)?;
    let value = HeaderValue::from_str(&Zeroizing::new(format!("Bearer {}", *token)));
    let mut value = value.map_err(|_| AgentError::Token(TokenError::Unfit(path.to_owned())))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What is asked.
#[derive(Clone, Copy)]
struct AgentRequest<'r> {
    host: &'r str,
    path: &'r str,
    authorization: Option<&'r HeaderValue>,
}

impl AgentRequest<'_> {
    fn built(self) -> http::Result<Request<Empty<Bytes>>> {
        let mut request = Request::get(self.path).header(header::HOST, self.host);
        if let Some(value) = self.authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        request.body(Empty::new())
    }
}

type AgentSender = SendRequest<Empty<Bytes>>;

/// Asks on the connection that there is, and on a new one if that has ended. Gives the connection back that can be used again.
async fn fetch(
    open: Option<AgentSender>,
    request: AgentRequest<'_>,
    address: &str,
) -> (Option<AgentSender>, Result<Response<Bytes>, String>) {
    if let Some(mut sender) = open
        && let Ok(answer) = ask(&mut sender, request).await
    {
        return (Some(sender), Ok(answer));
    }
    match connect(address).await {
        Ok(mut sender) => {
            let answer = ask(&mut sender, request).await;
            (answer.is_ok().then_some(sender), answer)
        }
        Err(reason) => (None, Err(reason)),
    }
}

async fn connect(address: &str) -> Result<AgentSender, String> {
    let stream = timeout(CONNECT, TcpStream::connect(address))
        .await
        .map_err(|_| "it does not accept the connection".to_owned())?
        .map_err(|error| error.to_string())?;
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(sender: &mut AgentSender, request: AgentRequest<'_>) -> Result<Response<Bytes>, String> {
    let request = request.built().map_err(|error| error.to_string())?;
    let answer = async {
        sender.ready().await?;
        whole(sender.send_request(request).await?).await
    };
    timeout(ANSWER, answer)
        .await
        .map_err(|_| "it does not answer".to_owned())?
        .map_err(|error| error.to_string())
}

async fn whole(answer: Response<Incoming>) -> hyper::Result<Response<Bytes>> {
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_reached_where_it_listens() {
        for (listens, reached) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("10.0.0.5:15080", "10.0.0.5:15080"),
            ("0.0.0.0:15080", "127.0.0.1:15080"),
            ("[::]:15080", "[::1]:15080"),
        ] {
            assert_eq!(reachable(listens).unwrap(), reached, "{listens}");
        }
        for (bad, said) in [
            ("off", "no admin interface"),
            ("localhost", "SEALGATE_ADMIN=localhost: "),
        ] {
            let error = reachable(bad).unwrap_err().to_string();
            assert!(error.contains(said), "{bad}: {error}");
        }
        assert_eq!(address(Some("a:1")).unwrap(), "a:1");
    }
}
