//! In front of a LiveKit server's API: a proxy that loses, delays and refuses calls as a test says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It reaches LiveKit and is answered.
    None,
    /// The connection closes before LiveKit has heard of it.
    Cut,
    /// LiveKit does it, and then the connection closes.
    LoseAnswer,
    /// It never reaches LiveKit and is never answered.
    Hang,
    /// It reaches LiveKit, and is answered after so long.
    Slow(Duration),
    /// It reaches LiveKit, and is answered once the proxy is [healed](LiveKitProxy::heal).
    Hold,
    /// LiveKit does not hear of it; a status with this code of Twirp is the answer.
    Refuse(u16, &'static str),
}

/// A running proxy; it ends when this is dropped.
pub struct LiveKitProxy {
    pub address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    target: String,
    http: reqwest::Client,
    rules: Mutex<Rules>,
    healed: Notify,
}

#[derive(Default)]
struct Rules {
    /// By method of the API, such as `CreateRoom`: the fault, and for how many calls more.
    faults: HashMap<String, (Fault, usize)>,
    calls: Vec<String>,
}

impl LiveKitProxy {
    /// Starts one on a free port, in front of `http://…`.
    pub async fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State {
            target: target.into(),
            http: reqwest::Client::new(),
            rules: Mutex::default(),
            healed: Notify::new(),
        });
        let task = tokio::spawn(accept(listener, state.clone()));
        Self { address, state, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every call of this method (`CreateRoom`, `DeleteRoom`, `CreateDispatch`, …) meets this.
    pub fn set(&self, method: &str, fault: Fault) {
        self.set_next(method, usize::MAX, fault);
    }

    /// The next `number` calls of this method meet this.
    pub fn set_next(&self, method: &str, number: usize, fault: Fault) {
        self.state.rules().faults.insert(method.into(), (fault, number));
    }

    /// No faults any more. Calls that are held are answered; calls that hang go on hanging.
    pub fn heal(&self) {
        self.state.rules().faults.clear();
        self.state.healed.notify_waiters();
    }

    /// How many calls of this method came.
    pub fn calls(&self, method: &str) -> usize {
        self.state.rules().calls.iter().filter(|called| *called == method).count()
    }
}

impl Drop for LiveKitProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().expect("nobody panics while holding this")
    }

    /// Notes the call and finds what becomes of it.
    fn fault(&self, method: &str) -> Fault {
        let mut rules = self.rules();
        rules.calls.push(method.into());
        match rules.faults.get_mut(method) {
            Some((fault, left)) if *left > 0 => {
                *left -= 1;
                fault.clone()
            }
            _ => Fault::None,
        }
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        let mut headers = head.headers;
        headers.remove("host");
        let call = self.http.request(head.method, format!("{}{}", self.target, head.uri)).headers(headers).body(body);
        let answer = call.send().await.map_err(|_| Closed)?;
        let mut response = Response::builder().status(answer.status());
        if let Some(content_type) = answer.headers().get("content-type") {
            response = response.header("content-type", content_type);
        }
        Ok(response.body(Full::new(answer.bytes().await.map_err(|_| Closed)?)).expect("a legal answer"))
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, so that no connection outlives the proxy.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, state.clone()));
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let handler = service_fn(move |request| answer(request, state.clone()));
    // Errors are what the faults look like from here.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), handler).await;
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed")]
struct Closed;

async fn answer(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Full<Bytes>>, Closed> {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    match state.fault(&method) {
        Fault::None => state.forward(request).await,
        Fault::Cut => Err(Closed),
        Fault::LoseAnswer => {
            let _ = state.forward(request).await;
            Err(Closed)
        }
        Fault::Hang => std::future::pending().await,
        Fault::Slow(wait) => {
            let answer = state.forward(request).await;
            tokio::time::sleep(wait).await;
            answer
        }
        Fault::Hold => {
            let mut healed = std::pin::pin!(state.healed.notified());
            healed.as_mut().enable();
            // Healed since the fault was looked up.
            let is_over = state.rules().faults.is_empty();
            let answer = state.forward(request).await;
            if !is_over {
                healed.await;
            }
            answer
        }
        Fault::Refuse(status, code) => {
            let body = json!({"code": code, "msg": "as the test says"}).to_string();
            Ok(Response::builder().status(status).body(Full::new(body.into())).expect("a legal status"))
        }
    }
}
