//! `GET /cameras/{camera}/snapshot.jpg`: the newest frame.

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use http::{Extensions, HeaderName, StatusCode, header};

use super::Live;
use crate::{access::Caller, outcome::Refusal};

/// RFC 3339, on the hub's clock.
const X_CAPTURED_AT: HeaderName = HeaderName::from_static("x-captured-at");

pub(super) async fn newest(
    State(live): State<Live>,
    Path(camera): Path<String>,
    extensions: Extensions,
) -> Result<Response, Refusal> {
    Caller::of(&extensions)?;
    let newest = live.topic(&camera)?.newest();
    Ok(match newest {
        Some(frame) => {
            let headers = [
                (header::CONTENT_TYPE, "image/jpeg".to_owned()),
                (header::CACHE_CONTROL, "no-store".to_owned()),
                (X_CAPTURED_AT, frame.captured_at.to_string()),
            ];
            (headers, frame.jpeg.clone()).into_response()
        }
        None => {
            let headers = [(header::RETRY_AFTER, "2"), (header::CACHE_CONTROL, "no-store")];
            let text = format!("camera {camera:?} has sent no picture since the hub started\n");
            (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
        }
    })
}
