//! The command line on the story's own database: what an operator sees, and what an operator decides, without any service.

mod doctor;
mod failing_rule;
mod recount;
mod schedules;
mod transfer;

use domain::notification::Channel::WecomApp;
use domain::notification::DeliveryState::{self, Cancelled, Rejected};
use leadwire::wiring::Role;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{CommandLine, Person, Setup, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{DEMO_CORP, Endpoint, Fault, FaultRule};

const NOBODY: &str = "0190a1b2-0000-7000-8000-000000000000";

/// A service that answers people and sends nothing: sending is left to the command line.
async fn start(on: Backend, setup: Setup) -> TestApp {
    TestApp::start_with(on, Setup { roles: vec![Role::Api], ..setup }).await
}

fn through_wecom() -> Setup {
    Setup::through(&[WecomApp])
}

fn fails(app: &TestApp, endpoint: Endpoint, errcode: i64) {
    let fault = Fault::Errcode { errcode, errmsg: None, process: false };
    app.wechat().add_fault(FaultRule::forever(endpoint, fault)).expect("a rule");
}

/// Ids of a person's deliveries in a state, newest first.
async fn ids(line: &CommandLine, person: &Person, state: DeliveryState) -> Vec<String> {
    let list = ["deliveries", "list", "--recipient", &person.username, "--state", state.as_str()];
    let rows = line.json(&list).await;
    let rows = rows.as_array().expect("rows").iter();
    rows.map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

async fn process(line: &CommandLine) -> Value {
    line.json(&["deliveries", "process", "--once"]).await
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_sent_listed_shown_counted_and_reconciled(#[values(Sqlite, Postgres)] on: Backend) {
    let mut app = start(on, through_wecom()).await;
    let employee = app.team.employee.clone();
    app.lead_of(&app.team.manager, &employee, 1).await;
    app.while_stopped(async |line| {
        assert_eq!(process(line).await, json!({ "total": 1, "success": 1, "failed": 0 }));
        assert_eq!(line.done(&["deliveries", "process"]).await, "Nothing is due.\n");

        let of = ["deliveries", "list", "--channel", "wecom_app", "--type", "CUSTOMER_ASSIGNED"];
        let rows = line.json(&of).await;
        let row = &rows[0];
        assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
        assert_eq!((&row["state"], &row["recipientName"]), (&json!("accepted"), &json!(employee.name)));
        let table = line.done(&of).await;
        let (head, first) = table.split_once('\n').expect("a head");
        assert!(head.contains("RECIPIENT") && first.contains(&employee.name), "{table}");
        assert!(!table.contains(&employee.wecom_user()), "who the person is to WeCom is nobody's business");

        let id = row["id"].as_str().expect("an id");
        let shown = line.json(&["deliveries", "show", id]).await;
        assert_eq!(shown["tries"].as_array().map(Vec::len), Some(1), "{shown}");
        assert_eq!(
            (&shown["tries"][0]["outcome"], &shown["recipientName"]),
            (&json!("accepted"), &json!(employee.name))
        );
        let text = line.done(&["deliveries", "show", id]).await;
        assert!(text.contains(&employee.name) && text.contains("accepted"), "{text}");
        assert!(line.refused(1, &["deliveries", "show", NOBODY]).await.contains(NOBODY));

        let event = row["cause"].as_str().expect("an event");
        let decisions = line.json(&["decisions", event]).await;
        assert_eq!(decisions.as_array().map(Vec::len), Some(6), "{decisions}");
        assert!(line.done(&["decisions", event]).await.contains(&employee.name));

        let figures = line.json(&["deliveries", "stats", "--by", "channel"]).await;
        let groups = figures["groups"].as_array().expect("groups").clone();
        let wecom = groups.iter().find(|group| group["key"] == "wecom_app").expect("a group");
        assert_eq!((&wecom["accepted"], &wecom["dead"]), (&json!(1), &json!(0)), "{wecom}");
        for by in ["type", "day"] {
            assert!(line.done(&["deliveries", "stats", "--by", by]).await.contains("REQUESTED"));
        }

        // How the staff were bound was before the policy began: it is neither missed nor made up for.
        let repaired = line.json(&["deliveries", "reconcile", "--repair"]).await;
        assert_eq!(repaired["clean"], json!(true), "{repaired}");
        assert_eq!(repaired["repaired"]["decisions"], json!(0), "{repaired}");
        assert!(line.done(&["deliveries", "reconcile"]).await.contains("0 missing"));
    })
    .await;
    assert_eq!(app.received(&employee, WecomApp).len(), 1);
    finish(app).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sends_again_gives_up_and_settles(#[values(Sqlite, Postgres)] on: Backend) {
    let mut app = start(on, Setup::default()).await;
    let employee = app.team.employee.clone();
    for n in 1..=3 {
        app.lead_of(&app.team.manager, &employee, n).await;
    }
    fails(&app, Endpoint::SubscribeSend, 40003);
    let simulator = app.wechat().clone();
    app.while_stopped(async |line| {
        assert_eq!(process(line).await["failed"], json!(3));
        let refused = ids(line, &employee, Rejected).await;
        assert_eq!(refused.len(), 3);
        simulator.clear_faults();

        let retry = [
            "deliveries",
            "retry",
            "--state",
            "rejected",
            "--channel",
            "wechat_subscribe",
            "--reason",
            "模板已修复",
        ];
        let with = |more: &[&'static str]| [&retry[..], more].concat();
        assert_eq!(
            line.json(&with(&["--dry-run"])).await,
            json!({ "count": 3, "requeued": 0, "refused": 0 })
        );
        assert!(line.refused(1, &with(&[])).await.contains("--expect 3"));
        assert!(line.refused(1, &with(&["--expect", "2"])).await.contains("there are 3 of them now"));

        // One is given up, one is sent again by its id, the last one by the filter.
        let [first, second, _] = [&refused[0], &refused[1], &refused[2]];
        let given_up = line.done(&["deliveries", "discard", first, "--reason", "已电话通知"]).await;
        assert!(given_up.contains("given up"), "{given_up}");
        let again = line.done(&["deliveries", "retry", second, "--reason", "再试"]).await;
        assert!(again.contains("due at once"), "{again}");
        let rest = line.json(&with(&["--expect", "1"])).await;
        assert_eq!(rest, json!({ "count": 1, "requeued": 1, "refused": 0 }));
        assert_eq!(process(line).await, json!({ "total": 2, "success": 2, "failed": 0 }));
        assert_eq!(ids(line, &employee, Cancelled).await, [first.as_str()]);
        let over = line.refused(1, &["deliveries", "retry", first, "--reason", "再试"]).await;
        assert!(over.contains(first.as_str()) || over.contains("not"), "{over}");
        assert!(line.refused(1, &["deliveries", "discard", NOBODY, "--reason", "x"]).await.contains(NOBODY));
    })
    .await;
    assert_eq!(app.messages(&employee).len(), 2);

    app.lead_of(&app.team.manager, &employee, 4).await;
    app.wechat()
        .add_fault(FaultRule::forever(Endpoint::SubscribeSend, Fault::ResetBefore {}))
        .expect("a rule");
    app.while_stopped(async |line| {
        process(line).await;
        let unknown = ids(line, &employee, DeliveryState::Unknown).await;
        let [unknown] = unknown.as_slice() else { panic!("{unknown:?}") };
        let wrong =
            line.refused(2, &["deliveries", "settle", unknown, "--as", "maybe", "--reason", "x"]).await;
        assert!(wrong.contains("sent, resend, switch, closed"), "{wrong}");
        let alone =
            line.refused(1, &["deliveries", "settle", unknown, "--as", "switch", "--reason", "换"]).await;
        assert!(alone.contains("nothing was decided"), "{alone}");
        let settled =
            line.done(&["deliveries", "settle", unknown, "--as", "closed", "--reason", "问过本人"]).await;
        assert!(settled.contains("counts as closed"), "{settled}");
        process(line).await; // the lists follow
        let shown = line.json(&["deliveries", "show", unknown]).await;
        assert_eq!((&shown["state"], &shown["settlement"]), (&json!("unknown"), &json!("closed")), "{shown}");
    })
    .await;
    app.wechat().clear_faults();
    finish(app).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_tried_paused_and_resumed(#[values(Sqlite, Postgres)] on: Backend) {
    let mut app = start(on, through_wecom()).await;
    let employee = app.team.employee.clone();
    let simulator = app.wechat().clone();
    app.while_stopped(async |line| {
        let tried = line.json(&["channels", "test", "wecom_app", &employee.username]).await;
        assert_eq!(tried, json!({ "outcome": "accepted", "failure": null }));
    })
    .await;
    assert_eq!(app.received(&employee, WecomApp).len(), 1);
    app.wechat().clear_ledger(); // no delivery of ours
    app.lead_of(&app.team.manager, &employee, 1).await;
    fails(&app, Endpoint::WecomSend, 81013);
    app.while_stopped(async |line| {
        let refused = line.run(&["channels", "test", "wecom_app", &employee.username]).await;
        assert_eq!(refused.code, 1);
        assert!(refused.out.contains("rejected") && refused.out.contains("81013"), "{refused:?}");
        simulator.clear_faults();
        let missing = line.refused(1, &["channels", "test", "wechat_cloud", &employee.username]).await;
        assert!(missing.contains("not configured"), "{missing}");
        assert!(line.refused(1, &["channels", "test", "wecom_app", "stranger"]).await.contains("stranger"));
        let fax = line.refused(2, &["channels", "pause", "fax", "--reason", "x"]).await;
        assert!(fax.contains("in_app, wechat_subscribe, wechat_cloud"), "{fax}");

        let paused = line.done(&["channels", "pause", "wecom_app", "--reason", "平台维护"]).await;
        assert!(paused.contains("wecom_app is paused"), "{paused}");
        process(line).await;
        let listed = line.json(&["channels", "list"]).await;
        let wecom =
            listed.as_array().expect("channels").iter().find(|one| one["name"] == "wecom_app").cloned();
        let wecom = wecom.expect("the channel");
        assert_eq!(
            (&wecom["configured"], &wecom["paused"], &wecom["waits"]),
            (&json!(true), &json!("平台维护"), &json!("1"))
        );
        assert!(line.done(&["channels", "list"]).await.contains("平台维护"));
        line.done(&["channels", "resume", "wecom_app"]).await;
        assert_eq!(process(line).await, json!({ "total": 1, "success": 1, "failed": 0 }));
    })
    .await;
    assert_eq!(app.received(&employee, WecomApp).len(), 1);
    finish(app).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_drafted_previewed_published_and_rolled_back(#[values(Sqlite, Postgres)] on: Backend) {
    let mut app = start(on, through_wecom()).await;
    let words = |content: &str| {
        let of = |content: &str| json!({ "title": "新线索", "content": content, "actionText": "查看" });
        json!({ "zh-CN": of(content), "en": of("{{customerName}}") }).to_string()
    };
    app.while_stopped(async |line| {
        let good = line.folder().join("good.json");
        let bad = line.folder().join("bad.json");
        std::fs::write(&good, words("客户 {{customerName}} 归您了")).expect("a file");
        std::fs::write(&bad, words("客户 {{colour}}")).expect("a file");
        let (good, bad) = (good.to_str().expect("a path"), bad.to_str().expect("a path"));
        let version = async || line.json(&["templates", "show", "ASSIGNED"]).await["version"].clone();
        assert_eq!(version().await, json!(1));

        line.done(&["templates", "draft", "ASSIGNED", "--file", bad]).await;
        let unfit = line.refused(1, &["templates", "publish", "ASSIGNED"]).await;
        assert!(unfit.contains("colour"), "{unfit}");
        line.json(&["templates", "draft", "ASSIGNED", "--file", good]).await;
        let preview = line.json(&["templates", "preview", "ASSIGNED"]).await;
        assert_eq!(preview["content"], json!("客户 王女士 归您了"));
        assert!(line.done(&["templates", "preview", "ASSIGNED", "--locale", "en"]).await.contains("[查看]"));
        assert_eq!(version().await, json!(1), "a draft is read by nobody");
        assert_eq!(line.json(&["templates", "publish", "ASSIGNED"]).await["version"], json!(1001));
        let listed = line.json(&["templates", "list"]).await;
        let assigned =
            listed.as_array().expect("templates").iter().find(|one| one["key"] == "ASSIGNED").cloned();
        assert_eq!(assigned.expect("the template")["version"], json!(1001));
        assert!(line.done(&["templates", "list"]).await.contains("ASSIGNED"));
        assert_eq!(line.json(&["templates", "roll-back", "ASSIGNED", "1"]).await["version"], json!(1));

        assert!(line.refused(1, &["templates", "show", "LUNCH"]).await.contains("LUNCH"));
        assert!(
            line.refused(1, &["templates", "roll-back", "ASSIGNED", "1002"]).await.contains("not changed")
        );
        let locale = line.refused(2, &["templates", "preview", "ASSIGNED", "--locale", "fr"]).await;
        assert!(locale.contains("zh-CN, en"), "{locale}");
    })
    .await;
    finish(app).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_named_and_what_may_stand_there_is_listed(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on, through_wecom()).await;
    let employee = app.team.employee.clone();
    let line = app.command_line().await;
    app.app().projections.catch_up_all().await.expect("the staff directory");
    for arguments in [&["decisions", NOBODY][..], &["decisions", NOBODY, "--json"]] {
        let printed = line.run(arguments).await;
        assert_eq!((printed.code, printed.out.as_str()), (1, ""), "{printed:?}");
        assert!(printed.err.contains(NOBODY), "{printed:?}");
    }
    for (flag, value, allowed) in [
        ("--state", "lost", "pending, in_flight, accepted"),
        ("--channel", "fax", "in_app, wechat_subscribe"),
        ("--class", "weather", "token, config, recipient"),
        ("--type", "LUNCH", "CUSTOMER_CREATED, CUSTOMER_ASSIGNED"),
    ] {
        let refused = line.refused(2, &["deliveries", "list", flag, value]).await;
        assert!(refused.contains(value) && refused.contains(allowed), "{refused}");
    }
    let scope = line.refused(2, &["tokens", "create", "--name", "x", "--scope", "all"]).await;
    assert!(scope.contains("intake:write, notifications:request"), "{scope}");

    let staff = line.json(&["staff", "list"]).await;
    let row = staff
        .as_array()
        .expect("staff")
        .iter()
        .find(|row| row["username"] == json!(employee.username))
        .cloned();
    assert_eq!(row.expect("the employee")["wecomCorps"], json!([DEMO_CORP]));
    let table = line.done(&["staff", "list"]).await;
    assert!(table.contains("WECOM CORPS") && table.contains(DEMO_CORP), "{table}");
    assert!(!table.contains(&employee.wecom_user()), "as whom is not shown");

    let check = line.json(&["config", "check"]).await;
    assert_eq!((&check["ok"], &check["warnings"]), (&json!(true), &json!([])));
    let line = line.with("LEADWIRE_ROUTES__CUSTOMER_ASSIGNED", "wecom_app,wechat_cloud,wecom_robot");
    let check = line.json(&["config", "check"]).await;
    assert_eq!(check["warnings"][0]["setting"], json!("routes.CUSTOMER_ASSIGNED"));
    let text = line.done(&["config", "check"]).await;
    let warning = "warning: routes.CUSTOMER_ASSIGNED: names wechat_cloud, wecom_robot, not configured";
    assert!(text.contains(warning) && text.contains("The settings are good."), "{text}");
    finish(app).await;
}

/// Nobody works in the background, so the last things are done by hand.
async fn finish(app: TestApp) {
    app.drain().await;
    app.finish_with_leftovers().await;
}
