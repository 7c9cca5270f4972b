//! The built page, under headers that keep everything else out of it.

use std::path::Path;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::{
    compression::{
        CompressionLayer, Predicate,
        predicate::{DefaultPredicate, NotForContentType},
    },
    services::ServeDir,
};

use crate::origin;

const NO_PAGE: &str =
    "This worker serves no page. Build it with `cargo demo`, or start the worker with --web DIR.\n";

/// Headers that are the same on every answer.
const HEADERS: [(&str, &str); 8] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    // Isolation: shared memory and exact clocks for this page, and no windows onto it.
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
    ),
    // Names of files do not change with their content: ask each time.
    ("cache-control", "no-cache"),
];

/// Serves `dir`, or says that there is no page.
pub fn router(dir: Option<&Path>) -> Router {
    // Weights of the language model do not get smaller, and the page wants to know how many bytes come.
    let smaller =
        DefaultPredicate::new().and(NotForContentType::const_new("application/octet-stream"));
    let router = match dir {
        Some(dir) => Router::new()
            .fallback_service(ServeDir::new(dir))
            .layer(CompressionLayer::new().gzip(true).compress_when(smaller)),
        None => Router::new().fallback(|| async { (StatusCode::NOT_FOUND, NO_PAGE) }),
    };
    router.layer(middleware::from_fn(secure))
}

/// Adds the headers.
pub async fn secure(request: Request, next: Next) -> Response {
    let policy = content_security_policy(origin::host(request.headers()));
    let mut response = next.run(request).await.into_response();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The page may load and call its own host and nothing else. The socket's scheme is named for
/// browsers whose 'self' does not cover it.
fn content_security_policy(host: Option<&str>) -> String {
    let socket = host.map_or_else(String::new, |host| format!(" ws://{host} wss://{host}"));
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
         connect-src 'self'{socket}; img-src 'self' data: blob:; worker-src 'self'; \
         font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::content_security_policy;

    #[test]
    fn the_policy_names_this_host_only() {
        let policy = content_security_policy(Some("127.0.0.1:8443"));
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"));
        assert!(policy.contains("connect-src 'self' ws://127.0.0.1:8443 wss://127.0.0.1:8443;"));
        assert!(!policy.contains("unsafe-inline"));
        assert!(content_security_policy(None).contains("connect-src 'self';"));
    }
}
