//! What a node counts, as Prometheus reads it.

/// The value of one series, `name{label="value"}` as it stands in the text; 0 if it is not there yet.
pub async fn metric(port: u16, series: &str) -> f64 {
    let text = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.expect("an answer").text().await.expect("text");
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().expect("a number"))
}
