//! The metrics that belong to no feature, and the little server that Prometheus scrapes.
//!
//! Names and meanings stand in one table; each feature has its own. Labels must stay few: a label never holds an id of a user, a socket or a scope.

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

/// One metric: its name, its kind, and what it means.
pub struct Metric {
    pub name: &'static str,
    /// Tells the recorder its help text.
    pub describe: fn(),
}

/// Declares metrics: a constant for each name, and `METRICS`.
///
/// ```
/// convoke::metrics_table! {
///     CLICKS: describe_counter = "counter_clicks_total", "Clicks, by outcome";
/// }
/// assert_eq!((CLICKS, METRICS.len()), ("counter_clicks_total", 1));
/// ```
#[macro_export]
macro_rules! metrics_table {
    ($($name:ident: $kind:ident = $text:literal, $meaning:literal;)+) => {
        $(#[doc = $meaning] pub const $name: &str = $text;)+

        /// All of this table.
        pub const METRICS: &[$crate::telemetry::metrics::Metric] = &[$(
            $crate::telemetry::metrics::Metric {
                name: $text,
                describe: || { $crate::telemetry::metrics::recorder::$kind!($text, $meaning); },
            }
        ),+];
    };
}

/// The macros that tables of metrics use.
pub use ::metrics as recorder;

crate::metrics_table! {
    CONNECTIONS: describe_gauge = "convoke_connections", "Open Engine.IO sessions";
    SOCKETS: describe_gauge = "convoke_sockets", "Connected Socket.IO sockets, in all namespaces";
    HANDSHAKES: describe_counter = "convoke_handshakes_total", "Engine.IO handshakes, by outcome";
    TRANSPORT_CLOSES: describe_counter = "convoke_transport_closes_total", "Closed Engine.IO sessions, by reason";
    RELAYED: describe_counter = "convoke_relayed_requests_total", "Long-polling requests passed on to the node that has the session, by outcome";
    MOVES: describe_counter = "convoke_session_moves_total", "Sessions that moved to the node of their WebSocket, by outcome, counted on both nodes";
    EVENTS: describe_counter = "convoke_events_total", "Events from clients, by outcome: ok, or the code of the refusal";
    SCOPES: describe_gauge = "convoke_scopes", "Scopes with a member on this node";
    CHANNELS: describe_gauge = "convoke_channels", "Channels of scopes, by whether this node hears them";
    RECEIVED: describe_counter = "convoke_received_total", "Messages that this node heard on the channels of its scopes";
    DELIVERIES: describe_counter = "convoke_deliveries_total", "Messages queued for a socket";
    LOG_FILLS: describe_counter = "convoke_log_fills_total", "Times that a scope's log was read because a message may have been missed";
    FORKS: describe_counter = "convoke_forks_total", "Scopes whose order a failover has taken back in part";
    DEAF: describe_counter = "convoke_deaf_publishes_total", "Publishes that fewer nodes heard than listen";
    NUDGES: describe_counter = "convoke_nudges_total", "Scopes whose listeners were woken because one of them seemed deaf";
    NODES: describe_gauge = "convoke_nodes", "Nodes of the cluster that this one knows, by whether they live or are dead and not yet reaped";
    FENCED: describe_gauge = "convoke_fenced", "1 while this node may not act, because it could not renew its lease";
    DEATHS: describe_counter = "convoke_deaths_total", "Nodes that this one has declared dead";
    REAPED: describe_counter = "convoke_reaped_scopes_total", "Scopes that this node has reaped after others died";
    NEW_INCARNATIONS: describe_counter = "convoke_reborn_total", "Times that this node was declared dead, and went on under a new name";
    RECOVERED: describe_counter = "convoke_recovered_total", "Clients that came back and got their connection back";
    NOT_RECOVERED: describe_counter = "convoke_not_recovered_total", "Clients that came back and got a new connection";
    REPLAYED: describe_counter = "convoke_replayed_total", "Events that were sent to clients that had missed them";
    TAKEN_OVER: describe_counter = "convoke_taken_over_total", "Connections that went on elsewhere and were closed here";
    OVERRUN: describe_counter = "convoke_overruns_total", "Messages that found no room on their way to the sockets; the log has them";
    REDIS_MASTERS: describe_gauge = "convoke_redis_masters", "Redis masters, by whether they answer";
    REDIS_REFUSALS: describe_counter = "convoke_redis_refusals_total", "Errors of Redis that refuse what the hub needs, and failed connections to it, by cause";
    TIMERS_FIRED: describe_counter = "convoke_timers_fired_total", "Durable timers that this node has fired, by timer and outcome";
    TIMER_LATE_SECONDS: describe_histogram = "convoke_timer_late_seconds", "How late durable timers were when this node fired them";
    HTTP_REQUESTS: describe_counter = "convoke_http_requests_total", "HTTP requests, by route, method and status";
    HTTP_REQUEST_SECONDS: describe_histogram = "convoke_http_request_seconds", "Time from a request's head to its answer, by route";
    CLIENT_MEMORY: describe_gauge = "convoke_client_memory_bytes", "Memory that clients hold with what is unfinished or unsent, of MEMORY_BUDGET_BYTES";
    TASKS: describe_gauge = "convoke_tasks", "Tasks of this process that have not ended";
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
    pub fn install<'a>(features: impl Iterator<Item = &'a Metric>) -> Result<Self, MetricsError> {
        use metrics_exporter_prometheus::Matcher;
        let recorder =
            PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)?.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Installed)?;
        METRICS.iter().chain(features).for_each(|metric| (metric.describe)());
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
            METRICS.iter().for_each(|metric| (metric.describe)());
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
