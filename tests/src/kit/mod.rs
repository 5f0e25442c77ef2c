//! The test kit of the acceptance stories: the real service in this process, on a loopback port and a database of its
//! own, with a WeChat of its own and a staff of every role.
//!
//! [`TestApp`] starts it; [`Call`] asks it over HTTP, [`Socket`] and [`JsClients`] listen to it; [`log`] reads what was recorded,
//! [`reading`] what people were told. A story waits with `settle()` or [`eventually`], never by the clock on the wall,
//! and ends with `finish()`, which checks what must hold after every story (`checks`).

#![expect(clippy::missing_panics_doc, reason = "a story that cannot go on ends with a panic that says why")]

mod app;
mod channels;
mod checks;
mod cli;
mod clock;
mod http;
mod js_client;
mod leads;
pub mod lines;
pub mod log;
mod node;
pub mod reading;
mod socket;
mod staff;

use std::time::Duration;

use app::ports;
pub use app::{Setup, TestApp, Wechat};
pub(crate) use channels::road;
pub use channels::{Official, customers_of};
pub use cli::{CommandLine, Printed, Process};
pub use clock::MovingClock;
pub use http::{Call, Reply, http_client};
pub use js_client::JsClients;
pub use leads::{lead, phone};
pub use node::{DoomedNode, Frozen, Node};
pub use socket::Socket;
pub use staff::{PASSWORD, Person, Team};

use tokio::time::{Instant, sleep};

/// How long a condition may take to come true: ten times what the longest takes on an idle machine. Only a failing story
/// waits for so long, and says what it waited for before the test runner ends it.
pub const PATIENCE: Duration = Duration::from_secs(100);

/// How often a condition is looked at that nothing announces.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until `look` finds something; fails with `what` when it does not in time.
pub async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not come true in time: {what}");
        sleep(LOOK_AGAIN).await;
    }
}
