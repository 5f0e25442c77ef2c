//! What waited while the world went on.

use domain::notification::Channel;
use domain::notification::DeliveryState::{Pending, Rejected};
use rstest::rstest;
use serde_json::json;
use tests::kit::{Setup, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::{ROUTE, sending, unbind};

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_goes_to_nobody_who_was_cut_off_and_to_no_former_id(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(false, true)] cut_off: bool,
) {
    let app = TestApp::start_with(on, Setup::through(&ROUTE[..2])).await;
    let (admin, person) = (app.team.admin.clone(), app.team.employee.clone());
    let pause = json!({ "reason": "维护" });
    let channel = "/api/deliveries/channels/wecom_app";
    assert_eq!(app.post(&format!("{channel}/pause"), &pause).by(&admin).send().await.status, 200);
    app.lead_of(&app.team.manager, &person, 1).await;
    let waiting = eventually("the message waits", async || {
        app.sendings_through(&person, Channel::WecomApp).await.into_iter().find(|row| row.state == Pending)
    });
    waiting.await;
    if cut_off {
        app.suspend(&person).await;
    } else {
        unbind(&app, &person).await;
    }
    assert_eq!(app.post(&format!("{channel}/resume"), &json!({})).by(&admin).send().await.status, 200);
    app.settle().await;
    let row = sending(&app, &person, Channel::WecomApp).await;
    let why = if cut_off { "recipient_inactive" } else { "no_binding" };
    assert_eq!((row.state, row.attempts), (Rejected, 0));
    assert_eq!(row.failure.map(|failure| failure.detail).as_deref(), Some(why));
    assert_eq!(app.received(&person, Channel::WecomApp).len(), 0);
    assert_eq!(app.received(&person, Channel::WechatSubscribe).len(), usize::from(!cut_off));
    app.finish().await;
}
