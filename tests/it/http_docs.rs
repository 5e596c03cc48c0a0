//! The pages under `/docs`.

use reqwest::Method;

use crate::support::hub::Hub;
use crate::support::node::root;

fn is_built() -> bool {
    root().join("web/dist-docs/index.html").exists()
}

#[tokio::test]
async fn the_documents_are_served_without_the_demo_or_say_how_to_build_them() {
    let hub = Hub::on_shared_redis(&[]).await;
    for path in
        ["/docs", "/docs/", "/docs/openapi", "/docs/asyncapi", "/docs/search", "/docs/guides/limits", "/docs/guides/readme"]
    {
        let answer = hub.get(path).await;
        if !is_built() {
            assert_eq!(answer.status(), 404, "{path}");
            assert!(answer.text().await.unwrap().contains("npm run build"));
            continue;
        }
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((answer.status().as_u16(), header("content-type")), (200, "text/html; charset=utf-8".into()), "{path}");
        assert!(header("content-security-policy").contains("default-src 'none'; script-src 'self'"), "{path}");
        let again = hub.request(Method::GET, path).header("if-none-match", header("etag")).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
    }
    for path in ["/docs/none", "/docs/../Cargo.toml", "/docs/%2e%2e/Cargo.toml", "/docs/guides/none"] {
        assert_eq!(hub.get(path).await.status(), 404, "{path}");
    }
}

/// What a page asks for by itself: scripts, styles, pictures.
fn asked_for(page: &str) -> Vec<&str> {
    let after = |mark: &'static str| page.split(mark).skip(1).filter_map(|rest| rest.split('"').next());
    let links = page.split("<link ").skip(1).filter_map(|rest| rest.split("href=\"").nth(1)?.split('"').next());
    after("src=\"").chain(links).collect()
}

#[tokio::test]
async fn every_guide_has_a_page_and_no_page_asks_another_host_for_anything() {
    if !is_built() {
        return;
    }
    let hub = Hub::on_shared_redis(&[]).await;
    let first = ["/docs", "/docs/openapi", "/docs/asyncapi", "/docs/search", "/docs/guides/readme"];
    let mut pages: Vec<String> = first.map(str::to_owned).into();
    for entry in std::fs::read_dir(root().join("docs")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(".md") {
            pages.push(format!("/docs/guides/{}", name.to_lowercase()));
        }
    }
    assert!(pages.len() > 10, "{pages:?}");
    for path in pages {
        let answer = hub.get(&path).await;
        assert_eq!(answer.status(), 200, "{path}: build the documents (npm run build in web/), then the hub");
        let page = answer.text().await.unwrap();
        for asked in asked_for(&page) {
            assert!(asked.starts_with("/docs/"), "{path} asks for {asked}");
            assert_eq!(hub.get(asked).await.status(), 200, "{path} asks for {asked}");
        }
    }
}

#[tokio::test]
async fn the_search_knows_a_part_of_every_guide() {
    if !is_built() {
        return;
    }
    let hub = Hub::on_shared_redis(&[]).await;
    let parts: Vec<serde_json::Value> = hub.get("/docs/search.json").await.json().await.expect("a list");
    for entry in std::fs::read_dir(root().join("docs")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap().to_lowercase();
        let Some(name) = name.strip_suffix(".md") else { continue };
        let to = format!("/docs/guides/{name}#");
        assert!(parts.iter().any(|part| part["to"].as_str().is_some_and(|place| place.starts_with(&to))), "{to}");
    }
}
