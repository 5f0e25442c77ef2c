//! Members of the corporation ask the WeCom application for a member 会员 (existing-systems.md section 7.8).

use application::members::{observation_context, observe, read_observation};
use domain::member::SourceKey;
use infrastructure::callbacks::Source;
use leadwire::http::callbacks::Refusal;
use rstest::rstest;
use tests::kit::{Setup, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{
    CallbackTarget, Channel, DEMO_AGENT, DEMO_CORP, DEMO_WECOM_SECRET, PushOutcome, WecomWords,
};

use super::day;

const TOKEN: &str = "WecomToken1";
const AES_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const ASKING: &str = "zhangsan";

fn app_of_wecom() -> String {
    format!("{DEMO_CORP}/{DEMO_AGENT}")
}

async fn start(on: Backend) -> TestApp {
    let more = vec![
        ("LEADWIRE_WECOM_APP__CORPID", DEMO_CORP.to_owned()),
        ("LEADWIRE_WECOM_APP__AGENTID", DEMO_AGENT.to_string()),
        ("LEADWIRE_WECOM_APP__SECRET", DEMO_WECOM_SECRET.to_owned()),
        ("LEADWIRE_WECOM_APP__KIND", "text".to_owned()),
        ("LEADWIRE_CALLBACKS__WECOM__TOKEN", TOKEN.to_owned()),
        ("LEADWIRE_CALLBACKS__WECOM__AES_KEY", AES_KEY.to_owned()),
    ];
    let app = TestApp::start_with(on, Setup { more, ..Setup::default() }).await;
    let url = app.url(&format!("/api/wecom/callback/{DEMO_AGENT}"));
    app.wechat()
        .set_callback(&app_of_wecom(), CallbackTarget::safe(&url, TOKEN, AES_KEY))
        .expect("an address");
    app.wechat().verify_callback(&app_of_wecom()).await.expect("the right echo");
    app
}

/// What a member reads after writing these words.
async fn answer(app: &TestApp, words: &str) -> Vec<String> {
    app.wechat().clear_ledger();
    let order = WecomWords { app: None, userid: ASKING.to_owned(), words: words.to_owned() };
    app.wechat().wecom_says(&order).expect("a member");
    app.wechat().until_callbacks_idle().await;
    let replies = app.wechat().received_through(ASKING, Channel::WecomReply);
    app.wechat().clear_ledger();
    replies.into_iter().map(|reply| reply.data["content"].clone()).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_who_asks_is_answered_at_once(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    for (words, expected) in [
        ("帮助", "发送会员编号即可查询会员资料"),
        ("?", "发送会员编号即可查询会员资料"),
        ("查 m12345", "未找到编号为 M12345 的会员"),
        ("你好", "没有找到会员编号"),
        ("]]><x>&amp; 1234", "未找到编号为 1234 的会员"),
    ] {
        let replies = answer(&app, words).await;
        assert!(matches!(replies.as_slice(), [reply] if reply.starts_with(expected)), "{words}: {replies:?}");
    }
    app.settle().await;
    let counts = app.app().callbacks.store().counts().await.unwrap();
    let states: Vec<_> = counts.iter().map(|count| (count.state.as_str(), count.callbacks)).collect();
    assert_eq!(states, [("done", 5)], "every question is kept");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_a_number_reads_the_member_and_nothing_sensitive(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    let key = SourceKey { source: "crm".to_owned(), table: "members".to_owned(), key: "7".to_owned() };
    let columns = [
        ("member_no", "m12345"),
        ("nickname", "小王"),
        ("phone", "13812348999"),
        ("status", "ACTIVE"),
        ("type", "ANNUAL"),
        ("id_card", "330106199501011234"),
        ("sexual_orientation", "LES"),
        ("self_description", "请打 13987654321"),
    ];
    let columns = columns.map(|(name, text)| (name, Some(text)));
    let row = read_observation(key.clone(), columns, false, None).observation;
    let context = observation_context(&key, "1", "story".to_owned(), app.now());
    observe(&app.app().bus, &context, row).await.expect("the row is taken in");
    app.settle().await;
    let replies = answer(&app, "查 M12345").await;
    assert_eq!(
        replies,
        [
            "会员编号：m12345\n手机号：138****8999\n昵称：小王\n会员类型：年费会员\n会员状态：激活\n个人说明：请打 139****4321"
        ]
    );
    app.settle().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_comes_three_times_is_answered_each_time_and_kept_once(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    day(&app, |day| day.copies = 3);
    assert_eq!(answer(&app, "帮助").await.len(), 3);
    app.settle().await;
    let counts = app.app().callbacks.store().counts().await.unwrap();
    assert_eq!((counts[0].callbacks, counts[0].times), (1, 3));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_is_answered(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    day(&app, |day| day.wrong_signature = true);
    assert_eq!(answer(&app, "帮助").await, Vec::<String>::new());
    let log = app.wechat().callback_log();
    let is_refused = |outcome: &PushOutcome| matches!(outcome, PushOutcome::Answered { status: 401, .. });
    let refused = log.iter().filter(|pushed| is_refused(&pushed.outcome)).count();
    assert!(refused > 0, "{log:?}");
    assert_eq!(app.app().callbacks.refused().of(Source::Wecom, Refusal::Forged), refused as u64);
    app.finish().await;
}
