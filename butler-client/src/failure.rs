//! What goes wrong between a client and a server, as errors that name the request.

use std::error::Error as _;
use std::fmt::Write as _;

use butler_core::Error;
use butler_core::wire::{ERROR_STATUS_CODE, ErrorResponse};
use reqwest::StatusCode;
use serde_json::Value;

/// How much of an answer that nobody understands is shown.
const SHOWN: usize = 300;

/// The error of an answer that is no success.
pub(crate) fn of_answer(status: StatusCode, body: &[u8], request_id: &str) -> Error {
    if status.as_u16() == ERROR_STATUS_CODE
        && let Ok(error) = serde_json::from_slice::<ErrorResponse>(body)
    {
        return of_user(error, request_id);
    }
    let mut detail = status.to_string();
    let said = said(body);
    if !said.is_empty() {
        let _ = write!(detail, ": {said}");
    }
    let hint = match status {
        StatusCode::UNAUTHORIZED => "; the access token is missing, expired or not known",
        StatusCode::FORBIDDEN => "; the access token does not give access to this repository",
        _ => "",
    };
    detail.push_str(hint);
    Error::Server {
        detail,
        status: Some(status.as_u16()),
        request_id: request_id.to_owned(),
    }
}

/// The error that a server reports to its user.
fn of_user(error: ErrorResponse, request_id: &str) -> Error {
    let ErrorResponse { error_type, detail } = error;
    Error::from_error_type(&error_type, with_request_id(&detail, request_id))
}

/// The error that a server reported within a stream, with the request's name.
pub(crate) fn in_stream(error: Error, request_id: &str) -> Error {
    match error {
        Error::UnknownUserError { error_type, detail } => Error::UnknownUserError {
            detail: with_request_id(&detail, request_id),
            error_type,
        },
        error => match error.error_type() {
            Some(name) => {
                Error::from_error_type(name, with_request_id(&error.to_string(), request_id))
            }
            None => unreadable(&error, request_id),
        },
    }
}

fn with_request_id(detail: &str, request_id: &str) -> String {
    format!("{detail} (client request ID: {request_id})")
}

/// The error of an answer that is not what the protocol says.
pub(crate) fn unreadable(error: &dyn std::fmt::Display, request_id: &str) -> Error {
    Error::Server {
        detail: format!("the answer cannot be understood: {error}"),
        status: None,
        request_id: request_id.to_owned(),
    }
}

/// The error of a request that was not answered, or whose answer broke off.
pub(crate) fn of_network(error: reqwest::Error, request_id: &str) -> Error {
    Error::Server {
        detail: network_text(error),
        status: None,
        request_id: request_id.to_owned(),
    }
}

/// What happened on the network, down to its cause. Addresses may hold signatures: they are left
/// out.
pub(crate) fn network_text(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            let _ = write!(text, ": {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// What an answer says to people: its `detail`, or the beginning of its text.
fn said(body: &[u8]) -> String {
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        match json.get("detail") {
            Some(Value::String(text)) => return shortened(text),
            Some(other) => return shortened(&other.to_string()),
            None => {}
        }
    }
    shortened(&String::from_utf8_lossy(body))
}

/// The beginning of a text on one line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        of_answer(status, body.as_bytes(), "id-1")
    }

    #[test]
    fn user_errors_are_what_the_server_says_and_name_the_request() {
        let error = answer(
            422,
            r#"{"error_type":"missing_collection","detail":"no such"}"#,
        );
        assert!(matches!(error, Error::MissingCollection(_)));
        assert_eq!(error.to_string(), "no such (client request ID: id-1)");
    }

    #[test]
    fn names_of_newer_servers_are_kept() {
        let error = answer(422, r#"{"error_type":"from_the_future","detail":"oh"}"#);
        let Error::UnknownUserError { error_type, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(error_type, "from_the_future");
        assert!(error.to_string().contains("id-1"));
        assert!(in_stream(error, "id-2").to_string().contains("id-2"));
    }

    #[test]
    fn other_answers_are_errors_of_the_server() {
        for (status, body, shown) in [
            (500, "<html>\n  <h1>Oops</h1>", "<html> <h1>Oops</h1>"),
            (
                422,
                r#"{"detail":[{"loc":["body"]}]}"#,
                r#"[{"loc":["body"]}]"#,
            ),
            (401, r#"{"detail":"who are you?"}"#, "who are you?"),
        ] {
            let error = answer(status, body);
            assert!(matches!(error, Error::Server { status: Some(of), .. } if of == status));
            let text = error.to_string();
            assert!(text.contains(shown) && text.contains("id-1"), "{text}");
        }
        assert!(answer(500, &"x".repeat(10_000)).to_string().len() < 1_000);
    }
}
