//! The upload of an import: one file in a form, within its own limits.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::multipart::{Multipart, MultipartRejection};
use axum::extract::{FromRequest as _, Request};
use axum::http::header;
use infrastructure::spreadsheet::FILE_BYTES_MAX;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::app::SharedApp;
use crate::http::command::{self, CommandRequest};
use crate::http::problem::{self, Problem};
use crate::http::text::Text;

/// The field that holds the file.
const FIELD: &str = "file";

const NO_FILE: Text =
    Text::new("请上传Excel文件（表单字段 file）", "Please upload a file in the form field `file`");
const TWO_FILES: Text = Text::new(
    "一次只能上传一个文件（表单字段 file 只能出现一次）",
    "Please upload one file at a time: the form field `file` may occur only once",
);

/// Bytes a form needs beside its file.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Imports one process works on at the same time: each may hold a file and all its rows in memory.
const AT_ONCE_MAX: usize = 4;

/// How long an upload may take; whoever sends slowly must not keep others out.
const UPLOAD_SECONDS: u64 = 25;

/// Seconds after which it is worth trying again when all slots are taken.
const RETRY_SECONDS: u64 = 5;

/// Room for imports in this process.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE_MAX)))
    }
}

impl Slots {
    /// Room for one import, given back when the permit is dropped.
    pub(super) fn take(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = |_| Problem::of(&problem::BUSY).retry_after(RETRY_SECONDS);
        self.0.clone().try_acquire_owned().map_err(busy)
    }
}

/// A file that was uploaded.
pub(super) struct Upload {
    /// The command; its fingerprint holds the file's.
    pub(super) command: CommandRequest,
    /// The file.
    pub(super) file: Vec<u8>,
}

impl Upload {
    /// Takes the file out of a request.
    pub(super) async fn receive(request: Request, app: &SharedApp) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
        {
            let text = Text::new("请求体必须是 multipart/form-data", "The body must be multipart/form-data");
            return Err(Problem::of(&problem::UNSUPPORTED_MEDIA_TYPE).text(text));
        }
        // Headers are judged before anything is read.
        let mut command = CommandRequest::of(&parts, json!(null))?;
        let late = |_| Problem::of(&problem::TIMEOUT).retry_after(RETRY_SECONDS);
        let max = FILE_BYTES_MAX + FORM_BYTES_MAX;
        let reading = command::read(body, &parts.headers, max);
        let bytes = timeout(Duration::from_secs(UPLOAD_SECONDS), reading).await.map_err(late)??;
        let request = Request::from_parts(parts, Body::from(bytes));
        let mut form = Multipart::from_request(request, app).await.map_err(|error| rejected(&error))?;
        let file = file(&mut form).await?;
        command.body = json!({ FIELD: format!("{:x?}", Sha256::digest(&file)) });
        Ok(Self { command, file })
    }
}

/// The one file of a form: of two, nobody could say which one was meant.
async fn file(form: &mut Multipart) -> Result<Vec<u8>, Problem> {
    let malformed = |_| Problem::of(&problem::MALFORMED_FORM);
    let mut found = None;
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        if field.name() != Some(FIELD) {
            continue;
        }
        let file = field.bytes().await.map_err(malformed)?;
        if found.replace(file).is_some() {
            return Err(Problem::of(&problem::MALFORMED_FORM).text(TWO_FILES));
        }
    }
    found.map(Vec::from).ok_or_else(|| Problem::of(&problem::MALFORMED_FORM).text(NO_FILE))
}

fn rejected(_: &MultipartRejection) -> Problem {
    Problem::of(&problem::MALFORMED_FORM)
}
