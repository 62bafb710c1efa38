//! Errors of the S3 client in our terms.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::resource::{ResourceError, ResourcePath};

/// The HTTP status a server answered with, if one answered.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error
        .raw_response()
        .map(|response| response.status().as_u16())
}

/// Classifies what went wrong while doing `operation` to `uri`.
pub(super) fn translate<E>(
    uri: &ResourcePath,
    operation: &'static str,
    error: SdkError<E, HttpResponse>,
) -> ResourceError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let uri = uri.to_string();
    let (code, message) = (error.code().unwrap_or(""), error.message().unwrap_or(""));
    match status(&error) {
        Some(404) => ResourceError::NotFound { uri },
        Some(401 | 403) => {
            let hint = match code {
                "SignatureDoesNotMatch" => "the secret key does not belong to the access key",
                "InvalidAccessKeyId" | "NotSignedUp" => "the server does not know the access key",
                "RequestTimeTooSkewed" => "this machine's clock is wrong",
                "ExpiredToken" => "the credentials have expired",
                _ => "check the credentials and the permissions of their owner",
            };
            let said = match (code, message) {
                ("", _) => "the server gave no reason".to_owned(),
                (code, "") => code.to_owned(),
                (code, message) => format!("{code}, {message}"),
            };
            ResourceError::PermissionDenied {
                uri,
                operation,
                detail: format!("{said} ({hint})"),
            }
        }
        status => {
            let detail = match status {
                Some(status) if !code.is_empty() => format!("{code}, {message} (HTTP {status})"),
                Some(status) => format!("the server answered HTTP {status}"),
                None => DisplayErrorContext(&error).to_string(),
            };
            ResourceError::Remote {
                uri,
                operation,
                detail,
                source: Some(Box::new(error)),
            }
        }
    }
}
