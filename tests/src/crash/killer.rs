//! Kills the service at the planned moments, while the clients are in the middle of something and messages are on
//! their way.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{sleep, timeout};
use wechat_simulator::SimulatorHandle;

use super::load::Load;
use super::plan::{Moment, Plan};
use super::service::Service;

/// Requests before a kill that the clients hold back until the service has sent something since its last start:
/// a kill that finds the dispatcher still waiting for the leases of its predecessor would show nothing.
const HELD_BACK: usize = 24;

/// Requests permitted beyond the kill, so that the clients never run dry while it is being prepared.
const BEYOND: usize = 64;

/// Longest wait for a message between two kills. Longer than the leases of consumers; the leases of messages that
/// were on their way may last longer, and each of them holds up one person only.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(30);

/// What a kill was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// Requests answered before it, as planned.
    pub answered: usize,
    /// Messages that people had received before it.
    pub received: usize,
    /// Whether any of them came after the kill before.
    pub was_sending: bool,
    /// From the kill until the next process answered.
    pub down: Duration,
}

/// Carries out the plan's kills, then permits the rest of the requests.
pub async fn kill_and_restart(
    service: &mut Service,
    plan: &Plan,
    load: &Load,
    wechat: &SimulatorHandle,
    tell: &impl Fn(&str),
) -> Result<Vec<Kill>> {
    let mut kills: Vec<Kill> = Vec::new();
    let mut permitted = 0;
    let permit_up_to = |permitted: &mut usize, count: usize| {
        load.permit(count.saturating_sub(*permitted));
        *permitted = count.max(*permitted);
    };
    for Moment { answered, then } in &plan.kills {
        let already = wechat.ledger().len();
        permit_up_to(&mut permitted, answered.saturating_sub(HELD_BACK));
        load.until_answered(answered.saturating_sub(HELD_BACK)).await?;
        let was_sending = timeout(MESSAGE_PATIENCE, wechat.until_received(already + 1)).await.is_ok();
        service.check_alive()?;
        permit_up_to(&mut permitted, answered + BEYOND);
        load.until_answered(*answered).await?;
        sleep(*then).await;
        let received = wechat.ledger().len();
        let down = service.kill_and_restart().await?;
        let kill = Kill { answered: *answered, received, was_sending, down };
        tell(&format!(
            "kill {} of {}: after {answered} answers and {received} messages, back after {} ms",
            kills.len() + 1,
            plan.kills.len(),
            down.as_millis()
        ));
        kills.push(kill);
    }
    permit_up_to(&mut permitted, plan.requests());
    load.until_answered(plan.requests()).await?;
    Ok(kills)
}
