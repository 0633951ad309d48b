//! One table from what went wrong to a gRPC code and an HTTP status.
//!
//! Domains return their own errors; each says how it reads outside through `From<Error> for Refusal`.
//! What is the hub's own fault is logged once, here, and reads "internal error" outside.

use std::error::Error;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::repeats;

/// What kind of refusal; the names are gRPC's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The request itself is wrong, whatever the state.
    InvalidArgument,
    /// What it names is not there.
    NotFound,
    /// What it would make is there already.
    AlreadyExists,
    /// The request is right, the state is not.
    FailedPrecondition,
    /// The caller is known and may not.
    PermissionDenied,
    /// The caller is not known.
    Unauthenticated,
    /// A part is away; the same request may work later.
    Unavailable,
    /// A limit is reached.
    ResourceExhausted,
    /// It took too long.
    DeadlineExceeded,
    /// The hub's own fault.
    Internal,
}

impl Kind {
    /// The canonical gRPC code.
    pub fn code(self) -> Code {
        match self {
            Self::InvalidArgument => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::AlreadyExists => Code::AlreadyExists,
            Self::FailedPrecondition => Code::FailedPrecondition,
            Self::PermissionDenied => Code::PermissionDenied,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Unavailable => Code::Unavailable,
            Self::ResourceExhausted => Code::ResourceExhausted,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Internal => Code::Internal,
        }
    }

    /// The HTTP status of the same meaning (google.rpc.Code's own mapping).
    pub fn http(self) -> StatusCode {
        match self {
            Self::InvalidArgument | Self::FailedPrecondition => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AlreadyExists => StatusCode::CONFLICT,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A refused request, as its caller reads it.
#[derive(Debug)]
pub struct Refusal {
    /// Which kind.
    pub kind: Kind,
    /// Lower case, no full stop, carries the value.
    pub message: String,
    /// Which fields are wrong: path in the request, and why.
    pub fields: Vec<(String, String)>,
    /// The cause, for the log; never sent.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// A refusal with a message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), fields: Vec::new(), source: None }
    }

    /// One wrong field.
    pub fn field(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self::fields(vec![(path.into(), why.into())])
    }

    /// Several wrong fields at once; the list must not be empty.
    pub fn fields(fields: Vec<(String, String)>) -> Self {
        let message = fields.iter().map(|(path, why)| format!("{path}: {why}")).collect::<Vec<_>>().join("; ");
        Self { kind: Kind::InvalidArgument, message, fields, source: None }
    }

    /// The hub's own fault, with its cause.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind: Kind::Internal,
            message: "internal error".to_owned(),
            fields: Vec::new(),
            source: Some(source.into()),
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    fn log(&self) {
        let cause = self.source.as_ref().map(|source| chain(source.as_ref())).unwrap_or_default();
        // Whoever asks again and again must not fill the log with it.
        match self.kind {
            Kind::Internal => repeats::say!(error, &cause, { cause }, "a request failed by our own fault"),
            Kind::Unavailable => {
                repeats::say!(warn, &self.message, { cause, reason = self.message }, "a request was refused");
            }
            _ => tracing::debug!(cause, reason = self.message, "a request was refused"),
        }
    }
}

/// An error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.log();
        let code = refusal.kind.code();
        if refusal.fields.is_empty() {
            return Self::new(code, refusal.message);
        }
        let mut details = ErrorDetails::new();
        for (path, why) in refusal.fields {
            details.add_bad_request_violation(path, why);
        }
        Self::with_error_details(code, refusal.message, details)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.log();
        (self.kind.http(), format!("{}\n", self.message)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_errors_arrive_as_bad_request_details() {
        let status = Status::from(Refusal::field("camera.name", "is empty"));
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_details_bad_request().expect("details");
        assert_eq!(details.field_violations[0].field, "camera.name");
        assert_eq!(details.field_violations[0].description, "is empty");
    }

    #[test]
    fn an_internal_cause_stays_inside() {
        let status = Status::from(Refusal::internal("password of the database is hunter2"));
        assert_eq!(status.message(), "internal error");
        assert_eq!(Kind::Internal.http(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
