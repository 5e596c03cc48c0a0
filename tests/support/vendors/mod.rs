//! A stand-in for the outside vendors of live interviews. It speaks their documented protocols on one port, fails as it is told, and
//! counts what it saw:
//!
//! - `GET /v3/ws`: AssemblyAI's Universal-Streaming v3, without their models ([`speech`] says what it hears);
//! - `POST /v1/chat/completions`, `POST /v1/audio/speech`: OpenAI-compatible APIs;
//! - `/s3/<bucket>/<key>`: as much of S3 as storing and presigned reading needs;
//! - `POST /control`: changes [`Faults`] (fields that are not named stay), `GET /seen`: [`Seen`].
//!
//! `examples/vendors.rs` runs it as a program of its own.
#![allow(dead_code, reason = "every binary that includes this uses another part of it")]

pub mod chat;
pub mod faults;
pub mod s3;
pub mod speech;
pub mod voice;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub use faults::{AiFault, Faults, Seen, SpeechFault, StorageFault, VoiceFault};

/// Bytes of a body that is read.
const LARGEST_BODY: usize = 64 << 20;

/// What all its parts share.
#[derive(Clone, Default)]
pub struct Vendors(Arc<Mutex<State>>);

/// What is so now.
#[derive(Default)]
pub struct State {
    pub faults: Faults,
    pub seen: Seen,
    pub speech: speech::Sessions,
    pub files: s3::Files,
}

/// A running stand-in; it ends when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub vendors: Vendors,
    task: JoinHandle<()>,
}

impl Server {
    /// On a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port")
    }

    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let (address, vendors) = (listener.local_addr()?, Vendors::default());
        let task = tokio::spawn(accept(listener, vendors.clone()));
        Ok(Self { address, vendors, task })
    }

    /// The hub's settings that lead here. Audio goes to its S3.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let at = self.address;
        vec![
            ("ASSEMBLYAI_URL", format!("ws://{at}/v3/ws")),
            ("ASSEMBLYAI_API_KEY", "key of the stand-in".into()),
            ("ASSEMBLYAI_SPEECH_MODEL", "stand-in".into()),
            ("AI_BASE_URL", format!("http://{at}/v1")),
            ("AI_API_KEY", "key of the stand-in".into()),
            ("AI_MODEL", "stand-in".into()),
            ("TTS_BASE_URL", format!("http://{at}/v1")),
            ("TTS_API_KEY", "key of the stand-in".into()),
            ("TTS_MODEL", "stand-in".into()),
            ("TTS_VOICE", "plain".into()),
            ("AUDIO_STORAGE_URL", "s3://audio/interviews".into()),
            ("AWS_ENDPOINT_URL", format!("http://{at}/s3")),
            ("AWS_ACCESS_KEY_ID", "stand-in".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret of the stand-in".into()),
        ]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Vendors {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    /// Changes what fails from now on.
    pub fn fail(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state().faults);
    }

    pub fn seen(&self) -> Seen {
        self.state().seen.clone()
    }
}

async fn accept(listener: TcpListener, vendors: Vendors) {
    // Dropped with this task, so that no connection outlives the server.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve(stream, vendors.clone())); }
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, vendors: Vendors) {
    let _ = stream.set_nodelay(true);
    let (upgraded, mut upgrades) = tokio::sync::mpsc::channel(1);
    let service = service_fn(move |request| answer(request, vendors.clone(), upgraded.clone()));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    // Errors are what some of the faults look like from here.
    let _ = connection.await;
    if let Some(speech) = upgrades.recv().await {
        speech.await;
    }
}

/// The connection is closed instead of being answered.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
pub struct Cut;

pub type Answer = Result<Response<Full<Bytes>>, Cut>;
type Speech = futures_util::future::BoxFuture<'static, ()>;

pub fn respond(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}

pub fn respond_json(status: u16, body: &Value) -> Response<Full<Bytes>> {
    respond(status, "application/json", body.to_string())
}

/// Never answers.
pub async fn hang() -> Answer {
    std::future::pending().await
}

async fn answer(mut request: Request<Incoming>, vendors: Vendors, upgraded: tokio::sync::mpsc::Sender<Speech>) -> Answer {
    if request.uri().path() == "/v3/ws" {
        return speech::accept(&mut request, vendors, upgraded).await;
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/v1/chat/completions") => chat::answer(&vendors, &head.headers, &body).await,
        (&Method::POST, "/v1/audio/speech") => voice::answer(&vendors, &head.headers, &body).await,
        (&Method::GET, "/v1/models") => chat::models(&vendors, &head.headers),
        (&Method::GET, "/seen") => Ok(respond_json(200, &json!(vendors.seen()))),
        (&Method::GET, "/control") => Ok(respond_json(200, &json!(vendors.faults()))),
        (&Method::POST, "/control") => Ok(control(&vendors, &body)),
        (_, path) if path.starts_with("/s3/") => s3::answer(&vendors, &head, body).await,
        _ => Ok(respond_json(404, &json!({"error": "not found"}))),
    }
}

/// Lays the fields of the body over the faults that there are.
fn control(vendors: &Vendors, body: &[u8]) -> Response<Full<Bytes>> {
    let changed = serde_json::from_slice::<Value>(body).and_then(|change| {
        let mut faults = json!(vendors.faults());
        for (name, value) in change.as_object().into_iter().flatten() {
            faults[name] = value.clone();
        }
        serde_json::from_value::<Faults>(faults)
    });
    match changed {
        Ok(faults) => {
            let shown = json!(faults);
            vendors.state().faults = faults;
            respond_json(200, &shown)
        }
        Err(error) => respond_json(400, &json!({"error": error.to_string()})),
    }
}
