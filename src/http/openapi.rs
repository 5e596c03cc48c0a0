//! The OpenAPI 3.1 document of all routes, made of their descriptions. It does not depend on the settings: the routes of a
//! feature that is off are there too, and answer 501.

use std::collections::BTreeMap;

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Shape;
use super::docs::{Content, Doc, JSON, Listed, Listing, Place, Reply};
use super::error::HttpError;

const ABOUT: &str = "The HTTP interface of the hub. Socket.IO is served beside it at `/socket.io/`; its events are described in \
    `/asyncapi.json`.\n\n\
    A field that is not known is ignored. An empty body counts as `{}`. One final slash more changes nothing. A path that does not \
    exist is answered 404 `{error, path}`, a wrong method 405 with `Allow`. A feature without its settings answers 501 and names the \
    setting. Each answer has `X-Request-ID`: the request's own, or a new one.";

/// The document of these routes.
///
/// # Panics
/// If two different types have the same name, or two routes the same id. Any test that starts a hub finds such a fault.
pub fn document<'a>(routes: impl Iterator<Item = &'a Listed>) -> Value {
    let mut schemas = Schemas::new();
    let (mut paths, mut tags, mut ids) = (BTreeMap::<_, Map<_, _>>::new(), Vec::new(), Vec::new());
    let (mut credentials, mut undescribed) = (Map::new(), Vec::new());
    for route in routes {
        let doc = match &route.listing {
            Some(Listing::Described(doc)) => doc,
            Some(Listing::Unlisted) => continue,
            None => {
                undescribed.push(format!("{} {}", route.method, route.path));
                continue;
            }
        };
        assert!(!ids.contains(&doc.id), "two routes are called {}", doc.id);
        ids.push(doc.id);
        if !tags.contains(&doc.tag) {
            tags.push(doc.tag);
        }
        for credential in doc.credentials.iter().flatten() {
            let scheme = match credential.header {
                Some(header) => json!({"type": "apiKey", "in": "header", "name": header}),
                None => json!({"type": "http", "scheme": "bearer"}),
            };
            let scheme = with(scheme, "description", credential.about.into());
            credentials.insert(credential.name.into(), scheme);
        }
        // OpenAPI knows no parameter of several segments.
        let path = route.path.replace("{*", "{");
        let method = route.method.as_str().to_ascii_lowercase();
        paths.entry(path).or_default().insert(method, operation(doc, route.shape, &mut schemas));
    }
    let tags: Vec<_> = tags.iter().map(|tag| json!({"name": tag.name, "description": tag.about})).collect();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Convoke",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This hub"}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas.all(), "securitySchemes": credentials},
    });
    if !undescribed.is_empty() {
        // A test fails if a route has no description.
        document["x-undescribed"] = undescribed.into();
    }
    document
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

/// Makes the schemas of types, and keeps the named ones.
struct Schemas {
    /// For requests.
    read: SchemaGenerator,
    /// For answers.
    written: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into());
        Self { read: settings.clone().for_deserialize().into_generator(), written: settings.for_serialize().into_generator() }
    }

    fn all(mut self) -> Map<String, Value> {
        let mut all = self.read.take_definitions(true);
        for (name, schema) in self.written.take_definitions(true) {
            let known = all.get(&name).is_none_or(|known| *known == schema);
            assert!(known, "{name} comes in with other fields than it goes out with: give one of them another name");
            all.insert(name, schema);
        }
        all
    }
}

fn operation(doc: &Doc, shape: Shape, schemas: &mut Schemas) -> Value {
    let mut operation = json!({
        "operationId": doc.id,
        "tags": [doc.tag.name],
        "summary": doc.summary,
        "responses": responses(doc, shape, schemas),
    });
    if !doc.about.is_empty() {
        operation["description"] = doc.about.into();
    }
    let one =
        |credential: &Option<_>| credential.map_or_else(|| json!({}), |known: super::docs::Credential| json!({known.name: []}));
    operation["security"] = doc.credentials.iter().map(one).collect();
    let parameters = parameters(doc);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = &doc.body {
        let schema = (body.schema)(&mut schemas.read);
        // A body that is not JSON is never empty.
        let required = body.media != JSON || is_required(schema.as_value(), schemas.read.definitions());
        operation["requestBody"] = json!({"required": required, "content": {body.media: {"schema": schema}}});
    }
    operation
}

/// A body may be left out if none of its fields is required.
fn is_required(schema: &Value, definitions: &Map<String, Value>) -> bool {
    let named = schema["$ref"].as_str().and_then(|path| definitions.get(path.rsplit('/').next()?));
    named.unwrap_or(schema)["required"].as_array().is_some_and(|fields| !fields.is_empty())
}

fn parameters(doc: &Doc) -> Vec<Value> {
    let own = doc.parameters.iter().map(|parameter| {
        let (name, place) = (parameter.name, parameter.place.as_str());
        json!({"name": name, "in": place, "description": parameter.about, "required": parameter.required, "schema": parameter.schema})
    });
    let mut parameters: Vec<_> = own.collect();
    if let Some(query) = &doc.query {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let query = query(&mut settings.for_deserialize().into_generator()).to_value();
        let required = |name: &str| query["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
        for (name, schema) in query["properties"].as_object().into_iter().flatten() {
            let mut schema = without_null(schema.clone());
            let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let parameter = json!({"name": name, "in": Place::Query.as_str(), "required": required(name), "schema": schema});
            parameters.push(match about {
                Some(about) => with(parameter, "description", about),
                None => parameter,
            });
        }
    }
    parameters
}

/// A query has no null: a missing parameter is left out.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|one| one != "null");
        if let [one] = &types[..] {
            schema["type"] = one.clone();
        }
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.retain(|word| !word.is_null());
    }
    if let Some([of, _]) = schema["anyOf"].as_array().map(Vec::as_slice) {
        let of = of.clone();
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        return about.map_or(of.clone(), |about| with(of, "description", about));
    }
    schema
}

fn responses(doc: &Doc, shape: Shape, schemas: &mut Schemas) -> Map<String, Value> {
    let mut responses = Map::new();
    for Reply { status, about, contents } in &doc.replies {
        let mut response = json!({"description": about});
        for Content { media, schema } in contents {
            response["content"][*media] = json!({"schema": schema(&mut schemas.written)});
        }
        if doc.is_counted {
            let counts = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
            response["headers"] = headers(counts.into_iter());
        }
        responses.insert(status.as_str().into(), response);
    }
    let mut refusals = BTreeMap::<u16, Vec<&HttpError>>::new();
    for refusal in &doc.refusals {
        refusals.entry(refusal.status().as_u16()).or_default().push(refusal);
    }
    for (status, refusals) in refusals {
        let known = responses.insert(status.to_string(), refused(&refusals, shape));
        assert!(known.is_none(), "{}: {status} is both a success and a refusal", doc.id);
    }
    responses
}

/// All refusals of a route with one status, described by the answers that the route gives.
fn refused(refusals: &[&HttpError], shape: Shape) -> Value {
    // Bodies with the same fields get one schema.
    let mut kinds = BTreeMap::<Vec<String>, Map<String, Value>>::new();
    let (mut told, mut all) = (Vec::new(), HeaderMap::new());
    for refusal in refusals {
        let mut body = refusal.body(shape);
        let line = line(&body);
        // Two parts of the hub may say the same in almost the same words.
        if !told.iter().any(|known: &String| known.eq_ignore_ascii_case(&line)) {
            told.push(line);
        }
        all.extend(refusal.response(shape).headers().clone());
        let extra = refusal.extra().and_then(|(name, _)| Some(((*name).to_owned(), body.as_object_mut()?.remove(*name)?)));
        let fields = body.as_object().map(|body| body.keys().cloned().collect()).unwrap_or_default();
        let kind = kinds.entry(fields).or_default();
        for (field, value) in body.as_object_mut().into_iter().flat_map(std::mem::take) {
            widen(kind.entry(field.clone()).or_insert(Value::Null), &field, &value);
        }
        if let Some((name, value)) = extra {
            kind.insert(name, json!({"type": if value.is_number() { "number" } else { "string" }}));
        }
    }
    let kinds = kinds.into_iter().map(|(required, properties)| object(properties, required));
    let mut kinds: Vec<_> = kinds.collect();
    let schema = if kinds.len() == 1 { kinds.remove(0) } else { json!({ "anyOf": kinds }) };
    let mut response = json!({"description": told.join("\n"), "content": {JSON: {"schema": schema}}});
    let names: Vec<_> =
        all.keys().filter(|name| **name != CONTENT_TYPE && **name != CACHE_CONTROL).map(HeaderName::as_str).collect();
    if !names.is_empty() {
        response["headers"] = headers(names.into_iter());
    }
    response
}

/// A refusal as a line of text: its code and its message.
fn line(body: &Value) -> String {
    let code = ["code", "error"].iter().find_map(|field| body[*field].as_str()).or_else(|| body["error"]["code"].as_str());
    let message = body["message"]
        .as_str()
        .or_else(|| body["error"]["message"].as_str())
        .unwrap_or("`errors` has an entry for each field that does not fit");
    code.map_or_else(|| format!("- {message}"), |code| format!("- `{code}`: {message}"))
}

fn object(properties: Map<String, Value>, required: Vec<String>) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

/// Extends the schema of a field of refusals, so that it allows this value too. Codes are listed; messages for people are not.
fn widen(schema: &mut Value, field: &str, value: &Value) {
    *schema = match value {
        Value::Object(fields) => {
            let mut properties = schema["properties"].as_object().cloned().unwrap_or_default();
            for (field, value) in fields {
                widen(properties.entry(field).or_insert(Value::Null), field, value);
            }
            object(properties, fields.keys().cloned().collect())
        }
        Value::Array(items) => {
            let mut of = schema["items"].take();
            items.iter().for_each(|item| widen(&mut of, "", item));
            json!({"type": "array", "items": of})
        }
        Value::String(_) if matches!(field, "message" | "path" | "field" | "request_id") => json!({"type": "string"}),
        Value::String(word) => {
            let mut words = schema["enum"].as_array().cloned().unwrap_or_default();
            if !words.iter().any(|known| known == word) {
                words.push(word.clone().into());
            }
            json!({"type": "string", "enum": words})
        }
        value => json!({ "const": value }),
    };
}

fn headers<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    let about = |name: &str| match name {
        "retry-after" => ("Seconds after which the same request may succeed.", "integer"),
        "ratelimit-limit" => ("Requests that the caller may have at once.", "integer"),
        "ratelimit-remaining" => ("Requests that are left.", "integer"),
        "ratelimit-reset" => ("Seconds until all of them are free again.", "integer"),
        _ => ("", "string"),
    };
    let header = |name: &'a str| {
        let (about, kind) = about(name);
        (name.to_owned(), json!({"description": about, "schema": {"type": kind}}))
    };
    names.map(header).collect::<Map<_, _>>().into()
}
