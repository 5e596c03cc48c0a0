//! The names of all metrics, and the little server that Prometheus scrapes.
//!
//! Names and meanings stand in one table. Labels must stay few: a label never holds an id of a user, a socket or an incident.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

/// How often finished samples are folded into their histograms, so that they do not pile up between two scrapes.
const UPKEEP: Duration = Duration::from_secs(5);
/// A scrape whose request does not arrive in so long is dropped.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Scrapes at once; more wait.
const MOST_CONNECTIONS: usize = 16;
/// Upper bounds in seconds of every histogram whose name ends in `_seconds`.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Upper bounds of every histogram whose name ends in `_size`.
const SIZES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

macro_rules! table {
    ($($name:ident: $kind:ident = $text:literal, $meaning:literal;)+) => {
        $(#[doc = $meaning] pub const $name: &str = $text;)+

        /// Gives every metric its help text.
        fn describe() {
            $(metrics::$kind!($text, $meaning);)+
        }
    };
}

table! {
    CONNECTIONS: describe_gauge = "convoke_connections", "Open Engine.IO sessions, by transport";
    HANDSHAKES: describe_counter = "convoke_handshakes_total", "Engine.IO handshakes, by outcome";
    UPGRADES: describe_counter = "convoke_upgrades_total", "Upgrades from polling to WebSocket, by outcome";
    TRANSPORT_CLOSES: describe_counter = "convoke_transport_closes_total", "Closed Engine.IO sessions, by reason";
    CONNECTS: describe_counter = "convoke_connects_total", "CONNECT packets, by namespace and outcome";
    EVENTS_RECEIVED: describe_counter = "convoke_events_received_total", "Events from clients, by name (unknown ones as one) and outcome";
    EVENT_SECONDS: describe_histogram = "convoke_event_seconds", "Time from an event's arrival to its answer";
    DELIVERIES: describe_counter = "convoke_deliveries_total", "Events queued for a socket";
    VOLATILE_DROPS: describe_counter = "convoke_volatile_drops_total", "Volatile events that a slow client did not get";
    SLOW_CLIENTS: describe_counter = "convoke_slow_clients_total", "Connections closed because their outbox was full";
    SCOPES: describe_gauge = "convoke_scopes", "Scopes with a member on this node";
    LOG_FILLS: describe_counter = "convoke_log_fills_total", "Times that a scope's log was read because a message was missed";
    REDIS_CALLS: describe_counter = "convoke_redis_calls_total", "Redis calls, by script and outcome";
    REDIS_CALL_SECONDS: describe_histogram = "convoke_redis_call_seconds", "Time from a call to its answer, waiting included";
    REDIS_PIPELINE_SIZE: describe_histogram = "convoke_redis_pipeline_size", "Calls that went to Redis together";
    REDIS_MASTERS: describe_gauge = "convoke_redis_masters", "Redis masters, by whether they answer";
    SOS_SERVICE_CALLS: describe_counter = "convoke_sos_service_calls_total", "Calls to the SOS service, by kind and outcome";
    SOS_OUTBOX_DEAD: describe_counter = "convoke_sos_outbox_dead_total", "Events that the SOS service refused for good";
    HTTP_REQUESTS: describe_counter = "convoke_http_requests_total", "HTTP requests, by route, method and status";
    HTTP_REQUEST_SECONDS: describe_histogram = "convoke_http_request_seconds", "Time from a request's head to its answer, by route";
    BUILD_INFO: describe_gauge = "convoke_build_info", "Always 1; its labels say which version runs";
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Why metrics cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error("the recorder cannot be built: {0}")]
    Build(#[from] BuildError),
    #[error("another recorder is installed already")]
    Installed,
}

impl Metrics {
    /// Makes the `metrics` macros record from now on. Without it they cost next to nothing.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn install() -> Result<Self, MetricsError> {
        use metrics_exporter_prometheus::Matcher;
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_size".into()), SIZES)?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Installed)?;
        describe();
        metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self(handle))
    }

    /// The exposition text for Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Serves `GET /metrics` until the future is dropped.
    pub async fn serve(self, listener: TcpListener) {
        let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(MOST_CONNECTIONS));
        let mut upkeep = tokio::time::interval(UPKEEP);
        loop {
            let stream = tokio::select! {
                _ = upkeep.tick() => {
                    self.0.run_upkeep();
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = stream else {
                // Out of file descriptors, mostly: trying again at once would only burn the CPU.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(slot) = slots.clone().try_acquire_owned() else { continue };
            let metrics = self.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request| std::future::ready(metrics.answer(&request)));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(REQUEST_DEADLINE)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), answer);
                // A scraper that went away is nobody's problem; one that stalls loses its slot.
                let _ = tokio::time::timeout(REQUEST_DEADLINE, connection).await;
                drop(slot);
            });
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let mut response = match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => Response::new(Full::from(self.render())),
            _ => Response::new(Full::from("Not Found\n")),
        };
        if request.uri().path() != "/metrics" {
            *response.status_mut() = StatusCode::NOT_FOUND;
        } else if request.method() != Method::GET {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        }
        let text = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn prometheus_finds_the_metrics_and_nothing_else() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let served = Metrics(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            describe();
            metrics::counter!(DELIVERIES).increment(3);
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(served.serve(listener));
        let get = async |request: &str| {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let found = get("GET /metrics").await;
        assert!(found.starts_with("HTTP/1.1 200") && found.contains("\nconvoke_deliveries_total 3"), "{found}");
        assert!(get("GET /").await.starts_with("HTTP/1.1 404"));
        assert!(get("POST /metrics").await.starts_with("HTTP/1.1 405"));
        server.abort();
    }
}
