//! A small HTTP server that answers as a test says, faults included, and remembers what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Status and body.
    Body(u16, Bytes),
    /// 302 to this address.
    Redirect(String),
    /// Never answers.
    Silence,
    /// Closes the connection instead of answering.
    Cut,
    /// This status, a head that promises a body, and then nothing more.
    HeadOnly(u16),
}

impl Answer {
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Body(status, body.to_string().into())
    }
}

/// What the server was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    /// A header as text; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A running server; it ends when this is dropped.
pub struct StubHttp {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

type Decide = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

struct State {
    answer: Answer,
    /// Wins over `answer`.
    decide: Option<Decide>,
    asked: Vec<Asked>,
}

impl StubHttp {
    /// Starts one on a free port of 127.0.0.1.
    pub async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State { answer, decide: None, asked: Vec::new() }));
        let task = tokio::spawn(accept(listener, state.clone()));
        Self { address, state, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it does from now on.
    pub fn answer_with(&self, answer: Answer) {
        self.state.lock().expect("nobody panics while holding this").answer = answer;
    }

    /// From now on each request is looked at before it is answered.
    pub fn decide_by(&self, decide: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        self.state.lock().expect("nobody panics while holding this").decide = Some(Arc::new(decide));
    }

    /// All requests so far, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().expect("nobody panics while holding this").asked.clone()
    }
}

impl Drop for StubHttp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    // Dropped with this task, so that no connection outlives the server.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, state.clone()));
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let next = state.lock().expect("nobody panics while holding this").answer.clone();
    if let Answer::HeadOnly(status) = next {
        return head_only(stream, status).await;
    }
    let handler = service_fn(move |request| answer(request, state.clone()));
    // Errors are what the faults look like from here.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), handler).await;
}

async fn head_only(mut stream: TcpStream, status: u16) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{{");
    let _ = stream.write_all(head.as_bytes()).await;
    std::future::pending::<()>().await;
}

#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct CutOff;

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Full<Bytes>>, CutOff> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked = Asked { method: head.method.to_string(), path: head.uri.to_string(), headers: head.headers, body };
    let (answer, decide) = {
        let mut state = state.lock().expect("nobody panics while holding this");
        state.asked.push(asked.clone());
        (state.answer.clone(), state.decide.clone())
    };
    let answer = decide.map_or(answer, |decide| decide(&asked));
    let response = Response::builder();
    match answer {
        Answer::Body(status, body) => Ok(response.status(status).body(Full::new(body)).expect("a legal status")),
        Answer::Redirect(to) => Ok(response.status(302).header("location", to).body(Full::default()).expect("a legal header")),
        Answer::Silence => match std::future::pending::<Infallible>().await {},
        Answer::Cut | Answer::HeadOnly(_) => Err(CutOff),
    }
}
