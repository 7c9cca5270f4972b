//! Which pages may connect: a page of another site, open in the same browser, may not.

use axum::http::{HeaderMap, header};

/// Whether a request may open the socket. Browsers always send the origin of the page; programs
/// without one are not under a page's control.
#[must_use]
pub fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return headers.get(header::ORIGIN).is_none();
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if allowed
        .iter()
        .any(|other| other.trim_end_matches('/').eq_ignore_ascii_case(origin))
    {
        return true;
    }
    let page = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    matches!((page, host(headers)), (Some(page), Some(host)) if page.eq_ignore_ascii_case(host))
}

/// The host and port that the client believes to talk to, if they are well formed.
#[must_use]
pub fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    (!host.is_empty() && host.chars().all(good)).then_some(host)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::is_allowed;

    fn headers(host: &str, origins: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        headers
    }

    #[test]
    fn only_this_host_listed_pages_and_programs_may_connect() {
        let listed = vec!["https://clinic.example/".to_owned()];
        let host = "127.0.0.1:8443";
        for (origins, good) in [
            (&[][..], true),
            (&["http://127.0.0.1:8443"], true),
            (&["https://127.0.0.1:8443"], true),
            (&["https://clinic.example"], true),
            (&["http://127.0.0.1:9999"], false),
            (&["http://evil.example"], false),
            (&["http://127.0.0.1:8443.evil.example"], false),
            (&["null"], false),
            (&["ftp://127.0.0.1:8443"], false),
            (&["http://127.0.0.1:8443", "http://evil.example"], false),
        ] {
            assert_eq!(
                is_allowed(&headers(host, origins), &listed),
                good,
                "{origins:?}"
            );
        }
    }
}
