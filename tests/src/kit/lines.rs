//! The log lines of a story, kept: what a log must never hold is looked for in them.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Lines that a failing story shows.
const SHOWN: &str = "warn";

/// Lines that are kept: more than any operator turns on.
const KEPT: &str = "debug,sqlx=info,hyper=info,hyper_util=info,h2=info,reqwest=info,tokio_tungstenite=info,\
                    tungstenite=info,rustls=info,engineioxide=info,socketioxide=debug";

/// Most bytes that are kept; the first ones.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Starts to keep and to show lines. Only the first call of a process has an effect.
pub(super) fn start() {
    let shown = fmt::layer().with_writer(io::stderr).with_filter(EnvFilter::new(SHOWN));
    let kept = fmt::layer().with_ansi(false).with_writer(|| Keep).with_filter(EnvFilter::new(KEPT));
    // An error means that an earlier story of this process has started it.
    let _ = tracing_subscriber::registry().with(shown).with(kept).try_init();
}

/// Everything that was logged so far in this process.
pub fn logged() -> String {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&lines).into_owned()
}

struct Keep;

impl Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < KEPT_BYTES_MAX {
            lines.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
