//! A track as GeoJSON (RFC 7946): each fix a Point, so that none of its properties is lost.

use std::collections::BTreeMap;

use hyper::header::HeaderValue;
use serde_json::value::RawValue;

use crate::features::sos::scripts::location::Track;

pub const MEDIA_TYPE: &str = "application/geo+json";

/// Whether an `Accept` header asks for it.
pub fn is_asked_for(accept: &HeaderValue) -> bool {
    let Ok(accept) = accept.to_str() else { return false };
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(MEDIA_TYPE));
        let refused = parts.filter_map(|part| part.strip_prefix("q=")).any(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
        media && !refused
    })
}

/// A FeatureCollection; where the next page begins stands beside it as `next`.
pub fn track(track: &Track) -> String {
    let features: Vec<_> = track.points.iter().filter_map(|point| feature(point)).collect();
    let next = track.next.map_or_else(|| "null".into(), |next| next.to_string());
    format!(r#"{{"type":"FeatureCollection","features":[{}],"next":{next}}}"#, features.join(","))
}

/// Numbers go over as they are written, so that none loses precision.
fn feature(point: &[u8]) -> Option<String> {
    let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_slice(point).ok()?;
    let (latitude, longitude) = (fields.remove("latitude")?, fields.remove("longitude")?);
    let altitude = fields.remove("altitude").map(RawValue::get).filter(|altitude| *altitude != "null");
    let altitude = altitude.map(|altitude| format!(",{altitude}")).unwrap_or_default();
    let properties = serde_json::to_string(&fields).ok()?;
    let coordinates = format!("[{longitude},{latitude}{altitude}]");
    Some(format!(r#"{{"type":"Feature","geometry":{{"type":"Point","coordinates":{coordinates}}},"properties":{properties}}}"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_becomes_a_point_with_its_properties() {
        let points = [
            r#"{"userId":"u","latitude":14.500000000000000001,"longitude":-121,"altitude":null,"fixTime":7}"#,
            r#"{"userId":"u","latitude":0,"longitude":0,"altitude":12.5,"accuracy":3}"#,
        ];
        let points = points.map(bytes::Bytes::from).to_vec();
        let text = track(&Track { points, next: Some(9) });
        assert_eq!(
            text,
            concat!(
                r#"{"type":"FeatureCollection","features":["#,
                r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[-121,14.500000000000000001]},"properties":{"fixTime":7,"userId":"u"}},"#,
                r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0,12.5]},"properties":{"accuracy":3,"userId":"u"}}],"next":9}"#
            )
        );
    }

    #[test]
    fn it_is_given_only_to_those_who_ask() {
        for (accept, asked) in [
            ("application/geo+json", true),
            ("application/json, Application/Geo+JSON;q=0.9", true),
            ("application/geo+json;q=0", false),
            ("application/json", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(is_asked_for(&HeaderValue::from_static(accept)), asked, "{accept}");
        }
    }
}
