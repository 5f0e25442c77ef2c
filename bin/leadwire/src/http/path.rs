//! The one text that a path names something by.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::app::SharedApp;

/// What stands in the path, decoded. Empty when it is no text: whoever looks it up finds nothing, which is the answer
/// for everything that is not there.
#[derive(Debug, Clone)]
pub struct PathText(pub String);

impl FromRequestParts<SharedApp> for PathText {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Infallible> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        Ok(Self(text.map(|Path(text)| text).unwrap_or_default()))
    }
}
