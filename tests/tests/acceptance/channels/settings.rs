//! Every setting of every switch, limit and order of the day that the simulator lists, one at a time, with the product
//! attached. Whatever is set, whoever gained a lead is told once; through messages that WeChat does not recognise again
//! at most once and never in silence; consents and proofs count once.
//!
//! [`scenes`] names what is played for each. What the simulator learns to do has to be named there before this passes.

mod callbacks;
mod each;
mod rations;
mod refusals;
mod retold;
mod world;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt as _, StreamExt as _};
use rstest::rstest;
use tests::kit::Official;
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{CallbackDay, Limits, Switches};

use super::Way;
use world::{Group, World, worlds};

/// What is played, each with a service of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scene {
    /// Through each channel a lead, another one whose answer is lost, and one for which the provider was too busy.
    EachChannel,
    /// The same, and the service account sends subscribe messages.
    ServiceAccountSubscribes,
    /// Several leads for everybody at once.
    Crowd,
    /// The same while each send takes its time.
    SlowCrowd,
    /// More leads for one person than a minute allows.
    FullMinute,
    /// Whoever cannot be told by the mini program is told by `WeCom`.
    Refusals,
    /// The service account is configured with the appid of the mini program.
    WrongKindOfApp,
    /// More leads than a provider takes at a time.
    Rations(Way),
    /// Access tokens end again and again.
    EndingTokens,
    /// The secret of the `WeCom` app is wrong for a while.
    WrongSecret,
    /// The cloud function takes its time.
    SlowFunction,
    /// People bind their WeChat, many in a minute.
    Codes,
    /// What WeChat tells by itself: consents, rejections, proofs.
    Callbacks,
    /// WeChat does not hear that it was heard: the answers to its pushes are lost.
    LostAnswers,
    /// The answers to its pushes come late.
    LateAnswers,
    /// No answer ever reaches it.
    NoAnswers,
}

/// What is played for each setting of a switch, a limit or an order of the day.
fn scenes(name: &str) -> &'static [Scene] {
    use Scene::{
        Callbacks, Codes, Crowd, EachChannel, EndingTokens, FullMinute, LateAnswers, LostAnswers, NoAnswers,
        Rations, Refusals, ServiceAccountSubscribes, SlowCrowd, SlowFunction, WrongKindOfApp, WrongSecret,
    };
    match name {
        "msgid_present" => &[EachChannel, ServiceAccountSubscribes, Callbacks],
        "validation_order" | "failed_send_consumes_credit" | "accept_any_openid" | "unknown_key_refused" => {
            &[Refusals]
        }
        "blank_value_is_empty" | "emoji_counts_two" | "unicode_escapes_refused" => {
            &[EachChannel, ServiceAccountSubscribes, Refusals]
        }
        "system_error_delivers" => &[EachChannel, ServiceAccountSubscribes],
        "template_duplicate_same_msgid"
        | "wecom_duplicate_answer"
        | "wecom_duplicates_by_bytes"
        | "wecom_reused_task_id_refused"
        | "wecom_agentid_text_refused"
        | "wecom_card_counts_bytes"
        | "wecom_member_per_minute"
        | "wecom_member_per_hour"
        | "token_per_day" => &[EachChannel],
        "concurrent_sends_refused" | "wecom_concurrent" => &[SlowCrowd],
        "send_takes_ms" => &[Crowd],
        "rolling_windows" => &[FullMinute],
        "mini_program_token_is_unsupported" => &[WrongKindOfApp],
        "send_per_minute" | "send_per_day" => &[Rations(Way::Subscribe)],
        "template_send_per_day" => &[Rations(Way::OfficialTemplate)],
        "bizsend_per_day" => &[Rations(Way::OfficialSubscribe)],
        "cloud_per_minute" => &[Rations(Way::Cloud)],
        "wecom_persons_per_day" | "wecom_send_per_minute" => &[Rations(Way::WecomApp)],
        "robot_per_minute" => &[Rations(Way::WecomRobot)],
        "cloud_timeout_ms" => &[SlowFunction],
        "code_to_session_per_minute" => &[Codes],
        "stable_token_per_minute"
        | "stable_token_per_day"
        | "force_refresh_per_day"
        | "force_refresh_apart_seconds" => &[EndingTokens],
        "wecom_failed_gettoken_per_hour" => &[WrongSecret],
        "sent_event_errcode"
        | "callback_json_shape"
        | "callback_single_as_array"
        | "callback_create_time_text"
        | "callback_change_in_popup_container"
        | "mode and format"
        | "lost"
        | "copies"
        | "held"
        | "before_answer"
        | "wrong_signature" => &[Callbacks],
        "callback_three_in_all" | "callback_non_200_retried" => &[LostAnswers],
        "callback_timeout_ms" => &[LateAnswers],
        "callback_mark_fail_after" => &[NoAnswers],
        _ => &[],
    }
}

impl Scene {
    async fn play(self, on: Backend, world: World) {
        match self {
            Self::EachChannel => each::play(on, &world, Official::Template).await,
            Self::ServiceAccountSubscribes => each::play(on, &world, Official::Subscribe).await,
            Self::Crowd => each::crowd(on, &world).await,
            Self::SlowCrowd => each::crowd(on, &world.slow()).await,
            Self::FullMinute => rations::full_minute(on, &world).await,
            Self::Refusals => refusals::play(on, &world).await,
            Self::WrongKindOfApp => refusals::wrong_kind_of_app(on, &world).await,
            Self::Rations(way) => rations::play(on, &world, way).await,
            Self::EndingTokens => rations::ending_tokens(on, &world).await,
            Self::WrongSecret => rations::wrong_secret(on, &world).await,
            Self::SlowFunction => rations::slow_function(on, &world).await,
            Self::Codes => rations::codes(on, &world).await,
            Self::Callbacks => callbacks::play(on, &world).await,
            Self::LostAnswers => retold::play(on, &world, retold::Line::FirstTwoLost).await,
            Self::LateAnswers => retold::play(on, &world, retold::Line::Late).await,
            Self::NoAnswers => retold::play(on, &world, retold::Line::AllLost).await,
        }
    }
}

/// Scenes at the same time; each waits for its service most of the time.
const AT_ONCE: usize = 4;

#[test]
fn everything_the_simulator_can_be_set_to_is_played() {
    let listed = [Switches::listed(), Limits::listed(), CallbackDay::listed()];
    for one in listed.iter().flatten() {
        assert!(!scenes(&one.name).is_empty(), "nothing is played for {}", one.name);
        assert!(one.settings.len() > 1, "{} has one setting", one.name);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_simulator_is_set_to_everybody_is_told_once(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Group::Switches, Group::Limits, Group::Callbacks)] group: Group,
) {
    let worlds = worlds(group);
    let usual: BTreeSet<Scene> = worlds.iter().flat_map(|(_, scenes)| scenes.iter().copied()).collect();
    let usual: Vec<Scene> = usual.into_iter().collect();
    let played = std::iter::once((World::default(), usual.as_slice())).chain(worlds);
    let plays = played.flat_map(|(world, scenes)| scenes.iter().map(move |scene| (world.clone(), *scene)));
    let plays: Vec<(World, Scene)> = plays.collect();
    let mut ends = futures_util::stream::iter(plays)
        .map(|(world, scene)| async move {
            let title = format!("{scene:?} with {}", world.name);
            (title, AssertUnwindSafe(Box::pin(scene.play(on, world))).catch_unwind().await)
        })
        .buffer_unordered(AT_ONCE);
    let mut failed = Vec::new();
    while let Some((title, end)) = ends.next().await {
        if let Err(panic) = end {
            let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("{title}: {words}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
