//! Who may look on, and who may give commands.

use axum::extract::FromRequestParts;
use butler_server::auth::text;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri, header};

use super::app::WebApp;
use super::error::{WebError, WebResult};

/// The name of whoever nobody knows, where everybody is let in.
const ANONYMOUS: &str = "anonymous";

/// Somebody who may look on.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) name: String,
}

/// Somebody who may give commands, and does so on purpose.
#[derive(Debug)]
pub(super) struct Commander {
    pub(super) name: String,
}

impl FromRequestParts<WebApp> for Reader {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &WebApp) -> WebResult<Self> {
        let (name, member) = judge(app, &parts.headers, &app.readers).await?;
        match member {
            true => Ok(Self { name }),
            false => Err(forbidden(&name, "look at the publication of datasets")),
        }
    }
}

impl FromRequestParts<WebApp> for Commander {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &WebApp) -> WebResult<Self> {
        let Reader { name } = Reader::from_request_parts(parts, app).await?;
        if !may_command(app, &parts.headers).await? {
            return Err(forbidden(&name, "command the publication of datasets"));
        }
        if !is_of_this_site(&parts.headers) {
            let detail = "Commands must not come from pages of other sites";
            return Err(WebError::refused(StatusCode::FORBIDDEN, detail));
        }
        Ok(Self { name })
    }
}

/// Whether the sender of a request is in a group that may give commands.
pub(super) async fn may_command(app: &WebApp, headers: &HeaderMap) -> WebResult<bool> {
    Ok(judge(app, headers, &app.groups).await?.1)
}

async fn judge(app: &WebApp, headers: &HeaderMap, groups: &[String]) -> WebResult<(String, bool)> {
    let (user, member) = app.authenticator.judge(headers, Some(groups)).await?;
    Ok((user.name.unwrap_or_else(|| ANONYMOUS.to_owned()), member))
}

fn forbidden(name: &str, what: &str) -> WebError {
    WebError::refused(
        StatusCode::FORBIDDEN,
        format!("User {name} does not have permission to {what}"),
    )
}

/// Whether a request comes from the app's own page, or from a program that is no browser. Browsers say
/// where a request comes from; cookies, by which an ingress may know them, go along regardless.
fn is_of_this_site(headers: &HeaderMap) -> bool {
    if let Some(site) = text(headers, "sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Uri>().ok());
    let host = text(headers, "host").and_then(|text| text.parse::<Authority>().ok());
    origin
        .as_ref()
        .and_then(Uri::authority)
        .is_some_and(|origin| Some(origin) == host.as_ref())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of_this_site(given: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, value.parse().unwrap());
        }
        is_of_this_site(&headers)
    }

    #[test]
    fn programs_and_the_own_page_may_command() {
        assert!(of_this_site(&[("host", "pps.example:8080")]));
        assert!(of_this_site(&[("sec-fetch-site", "same-origin")]));
        assert!(of_this_site(&[
            ("host", "pps.example:8080"),
            ("origin", "http://pps.example:8080"),
        ]));
    }

    #[test]
    fn pages_of_other_sites_may_not() {
        for other in ["cross-site", "same-site", "none"] {
            assert!(!of_this_site(&[("sec-fetch-site", other)]), "{other}");
        }
        for origin in ["https://evil.example", "null", "http://pps.example"] {
            let given = [("host", "pps.example:8080"), ("origin", origin)];
            assert!(!of_this_site(&given), "{origin}");
        }
    }
}
