//! What WeChat tells by itself, in every spelling and under every mishap: a consent is one credit, a rejection ends them
//! all, a proof counts once; and what WeChat takes back is told by the next channel.

use chrono::TimeDelta;
use domain::notification::DeliveryState::{Accepted, Delivered, Rejected};
use domain::notification::{Channel, DeliveryState};
use tests::kit::{Person, Setup, TestApp, eventually};
use tests::scratch::Backend;
use wechat_simulator::{
    CallbackMode, CallbackTarget, DEMO_APPID, DEMO_OFFICIAL_APPID, DEMO_TEMPLATE, Limits, PushOutcome,
    ReleaseOrder, TurnOffOrder,
};

use super::each::only_through;
use super::world::World;

pub(super) const TOKEN: &str = "CallbackToken1";
pub(super) const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFB";
pub(super) const CREDITS: i64 = 3;

/// Callbacks carry whole seconds, and what is done in one of them counts as done at once.
const LATER: TimeDelta = TimeDelta::seconds(2);

/// Steps of a second until a proof that came too early was looked at again.
const STEPS_MAX: usize = 30;

/// Longer than a proof waits for its message.
const GIVEN_UP: TimeDelta = TimeDelta::minutes(16);

impl World {
    /// A service that hears of everything that happens to its mini program and its service account.
    pub(super) async fn start_listening(&self, on: Backend) -> TestApp {
        let channels = [Channel::WechatSubscribe, Channel::WechatOfficial, Channel::WecomApp];
        let mut setup = Setup { credits: CREDITS, ..Setup::through(&channels) };
        let token = || TOKEN.to_owned();
        setup.more.push(("LEADWIRE_CALLBACKS__MINI_PROGRAM__TOKEN", token()));
        setup.more.push(("LEADWIRE_CALLBACKS__OFFICIAL__TOKEN", token()));
        if self.mode != CallbackMode::Plain {
            setup.more.push(("LEADWIRE_CALLBACKS__MINI_PROGRAM__AES_KEY", AES_KEY.to_owned()));
            setup.more.push(("LEADWIRE_CALLBACKS__OFFICIAL__AES_KEY", AES_KEY.to_owned()));
        }
        let app = self.start(on, setup).await;
        app.wechat().set_limits(Limits::default()); // whoever enters an address has patience
        for appid in [DEMO_APPID, DEMO_OFFICIAL_APPID] {
            let url = app.url(&format!("/api/wechat/callback/{appid}"));
            app.wechat().set_callback(appid, self.target(&url)).expect("an address");
            app.wechat().verify_callback(appid).await.expect("the right echo");
        }
        app.wechat().set_limits(self.limits.clone());
        app.wechat().set_callback_day(self.day.clone());
        app
    }

    fn target(&self, url: &str) -> CallbackTarget {
        let (mode, format) = (self.mode, self.format);
        CallbackTarget { mode, format, ..CallbackTarget::safe(url, TOKEN, AES_KEY) }
    }

    /// Whether what WeChat tells arrives and can be believed.
    fn is_heard(&self) -> bool {
        !self.day.lost && !self.day.wrong_signature
    }

    /// How a message ends that WeChat accepted.
    fn end(&self) -> DeliveryState {
        match self.switches.sent_event_errcode {
            0 if self.is_heard() && self.switches.msgid_present => Delivered,
            0 => Accepted,
            _ => Rejected,
        }
    }
}

/// Waits until everything is told, what was held back too, and everything has followed from it.
pub(super) async fn told(app: &TestApp) {
    app.settle().await;
    app.wechat().release_callbacks(ReleaseOrder::Queued);
    app.wechat().until_callbacks_idle().await;
    app.settle().await;
}

/// Lets the time of early proofs pass, then says how the last message through the channel stands.
async fn end(app: &TestApp, person: &Person, channel: Channel, expected: DeliveryState) -> DeliveryState {
    let mut state = Accepted;
    for _ in 0..STEPS_MAX {
        told(app).await;
        state = app.sendings_through(person, channel).await[0].state;
        if state == expected {
            break;
        }
        app.advance(TimeDelta::seconds(1));
    }
    state
}

pub(super) fn accept(app: &TestApp, person: &Person) {
    app.wechat().popup(DEMO_APPID, &person.openid, DEMO_TEMPLATE, true).expect("a popup");
}

/// What WeChat itself still lets us send to the person.
fn at_wechat(app: &TestApp, person: &Person) -> i64 {
    let credits = app.wechat().credits();
    let credit = credits.iter().find(|one| one.appid == DEMO_APPID && one.openid == person.openid);
    credit.map_or(0, |credit| i64::from(credit.remaining))
}

pub(super) async fn play(on: Backend, world: &World) {
    let app = world.start_listening(on).await;
    let manager = app.team.manager.clone();
    let hired: [Person; 2] = app.hire(2).await.try_into().expect("as many as wanted");
    let [reader, follower] = &hired;
    only_through(&app, reader, &[Channel::WechatSubscribe, Channel::WecomApp]).await;
    only_through(&app, follower, &[Channel::WechatOfficial, Channel::WecomApp]).await;
    app.settle().await;
    let is_taken_back = world.end() == Rejected;

    // A consent, and a message that uses one up.
    accept(&app, reader);
    told(&app).await;
    let granted = i64::from(world.is_heard());
    assert_eq!(app.credits(reader).await, (CREDITS + granted, 0));
    for (n, (person, channel)) in
        [(reader, Channel::WechatSubscribe), (follower, Channel::WechatOfficial)].into_iter().enumerate()
    {
        app.lead_of(&manager, person, n).await;
        assert_eq!(end(&app, person, channel, world.end()).await, world.end(), "{channel}");
        let came = [channel, Channel::WecomApp].map(|one| app.received(person, one).len());
        assert_eq!(came, if is_taken_back { [0, 1] } else { [1, 0] }, "{channel}");
    }
    let left = if world.is_heard() { at_wechat(&app, reader) } else { CREDITS - 1 };
    assert_eq!(app.credits(reader).await, (left, 0), "as many as WeChat says");

    // A rejection, a consent, and a message once more.
    app.advance(LATER);
    let template_ids = vec![DEMO_TEMPLATE.to_owned()];
    let turn_off = TurnOffOrder { appid: None, openid: reader.openid.clone(), template_ids };
    app.wechat().turn_off(&turn_off).expect("settings");
    told(&app).await;
    assert_eq!(app.credits(reader).await, (if world.is_heard() { 0 } else { left }, 0));
    app.advance(LATER);
    accept(&app, reader);
    told(&app).await;
    assert_eq!(app.credits(reader).await, (if world.is_heard() { 1 } else { left }, 0));
    app.lead_of(&manager, reader, 5).await;
    assert_eq!(end(&app, reader, Channel::WechatSubscribe, world.end()).await, world.end());
    let came = [Channel::WechatSubscribe, Channel::WecomApp].map(|one| app.received(reader, one).len());
    assert_eq!(came, if is_taken_back { [0, 2] } else { [2, 0] });
    heard(&app, world).await;
    app.is_reconciled().await;
    app.finish().await;
}

/// Everything that WeChat told was answered as it should be, and worked on.
async fn heard(app: &TestApp, world: &World) {
    for pushed in app.wechat().callback_log() {
        let PushOutcome::Answered { status, body } = &pushed.outcome else {
            // Whoever refuses so often is left alone for a while.
            let left_alone = world.day.wrong_signature && pushed.outcome == PushOutcome::MarkedFailed;
            assert!(world.day.lost || left_alone, "{pushed:?}");
            continue;
        };
        let expected = if world.day.wrong_signature { 401 } else { 200 };
        assert_eq!(*status, expected, "{pushed:?}");
        assert!(world.day.wrong_signature || body == "success", "{pushed:?}");
    }
    app.advance(GIVEN_UP);
    let store = app.app().callbacks.store().clone();
    eventually("every callback is worked on", async || {
        let counts = store.counts().await.expect("callbacks");
        counts.iter().all(|count| count.state == "done").then_some(())
    })
    .await;
}
