//! Who may do what with the rules of the pool, what is wrong with a rule and where, and that a preview names the very
//! leads that fall.

use std::collections::BTreeSet;

use application::access::{Action, allows};
use chrono::{DateTime, TimeDelta, Utc};
use domain::staff::Role;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::log::types;
use tests::kit::{Reply, Setup, TestApp, Wechat, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::{RULES, moment, token, two_days};

const POOL: &str = "/api/pool-rules";
const RUNS: &str = "/api/recycle-runs";
const PREVIEW: &str = "/api/recycle-rules/preview";
/// A rule that nobody knows.
const NOBODY: &str = "0190a1b2-0000-7000-8000-000000000000";

async fn start(on: Backend) -> TestApp {
    TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, ..Setup::default() }).await
}

/// Path and rule of each violation.
fn violations(reply: &Reply) -> Vec<(&str, &str)> {
    let errors = reply.body["error"]["details"]["errors"].as_array().into_iter().flatten();
    errors.filter_map(|error| Some((error["path"].as_str()?, error["code"].as_str()?))).collect()
}

fn with(mut body: Value, key: &str, value: &Value) -> Value {
    body[key] = value.clone();
    body
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_open_for_whom_the_table_says(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let known = format!("{RULES}/{}", app.post(RULES, &two_days()).by(&team.admin).send().await.id());
    let (unknown, toggle) = (format!("{RULES}/{NOBODY}"), format!("{RULES}/{NOBODY}/toggle"));
    app.settle().await;
    let head = app.head().await;
    let (see, edit) = (Action::ViewRecycleRules, Action::EditRecycleRules);
    for person in team.of_every_role() {
        for (action, call, passed) in [
            (see, app.get(RULES), 200),
            (see, app.get(&known), 200),
            (see, app.get(POOL), 200),
            (see, app.post(PREVIEW, &json!({ "rule": two_days() })), 200),
            (see, app.get(&unknown), 404),
            (see, app.get(&format!("{RULES}/none")), 404),
            (see, app.get(&format!("{RULES}/%FF")), 404),
            (see, app.post(PREVIEW, &json!({ "ruleId": NOBODY })), 404),
            (see, app.get(RUNS), 200),
            (see, app.get(&format!("{RUNS}?limit=51")), 400),
            (see, app.get(&format!("{RUNS}/{NOBODY}")), 404),
            (see, app.get(&format!("{RUNS}/none")), 404),
            (edit, app.post(RULES, &json!({})), 422),
            (edit, app.put(&unknown, &two_days()), 404),
            (edit, app.patch(&toggle, &json!({ "enabled": true })), 404),
            (edit, app.call(Method::DELETE, &unknown), 404),
            (edit, app.put(POOL, &json!({ "holdingCap": 0 })), 422),
        ] {
            let reply = call.by(person).send().await;
            let expected = if allows(person.role, action) { passed } else { 403 };
            assert_eq!(reply.status, expected, "{action:?} as {}: {reply:?}", person.username);
        }
    }
    assert_eq!(app.head().await, head, "nothing was written");
    app.finish().await;
}

/// A member of a rule, what somebody may send there, status, place and code of the refusal, and words of it.
type Wrong = (&'static str, Value, u16, &'static str, &'static str, &'static str);

fn wrong_texts() -> Vec<Wrong> {
    vec![
        ("name", json!(" "), 422, "name", "required", "规则名称不能为空"),
        ("name", json!("长".repeat(10_000)), 422, "name", "too_long", "规则名称不能超过100个字符"),
        ("name", json!("规\u{0}则"), 422, "name", "control_character", "规则名称不能包含控制字符"),
        ("priority", json!(0), 422, "priority", "out_of_range", "规则次序必须在1到1000之间"),
        ("priority", json!("first"), 422, "priority", "not_a_number", "规则次序必须是数字"),
        ("kind", json!("whim"), 422, "kind", "unknown_code", "no_follow_up、not_signed"),
        ("days", json!(0), 422, "days", "out_of_range", "天数必须在1到3650之间"),
        ("days", json!(1e300), 422, "days", "out_of_range", "天数必须在1到3650之间"),
        ("days", json!("NaN"), 422, "days", "not_a_number", "天数必须是数字"),
        ("days", json!(0.5), 422, "days", "not_whole", "天数必须是整数"),
        ("days", Value::Null, 422, "days", "required", "天数不能为空"),
        ("daysByLevel", json!({ "Z类": 3 }), 422, "daysByLevel.Z类", "unknown_code", "必须是以下值之一"),
        ("daysByLevel", json!({ "A类": 0 }), 422, "daysByLevel.A类", "out_of_range", "1到3650之间"),
        ("daysByLevel", json!([3]), 400, "daysByLevel", "not_a_map", "各等级天数必须是JSON对象"),
        ("leadSources", json!(["月球"]), 422, "leadSources[0]", "unknown_code", "线索来源必须是"),
        ("statuses", json!("待定"), 400, "statuses", "not_a_list", "客户状态必须是列表"),
        ("protectedHours", json!(-1), 422, "protectedHours", "out_of_range", "保护小时数必须在"),
        ("effectiveFrom", json!("soon"), 422, "effectiveFrom", "date", "生效时间必须是有效的日期"),
        ("effectiveFrom", json!("9999-01-01T00:00:00Z"), 422, "effectiveFrom", "date", "生效时间"),
        ("warnBeforeHours", json!([48]), 422, "warnBeforeHours[0]", "out_of_range", "必须在1到47之间"),
        ("warnBeforeHours", json!([24, 0]), 422, "warnBeforeHours[1]", "out_of_range", "必须在1到720之间"),
        ("warnBeforeHours", json!([1, 2, 3, 4, 5, 6]), 422, "warnBeforeHours", "too_many", "一次最多5个"),
        ("colour", json!("red"), 400, "colour", "unknown_field", "不支持的字段：colour"),
    ]
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_rule_is_refused_at_its_place_and_changes_nothing(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let known = app.post(RULES, &two_days()).by(&team.admin).send().await.id();
    let path = format!("{RULES}/{known}");
    app.settle().await;
    let head = app.head().await;
    for (key, value, status, named, code, words) in wrong_texts() {
        let wrong = with(two_days(), key, &value);
        let inside = format!("rule.{named}");
        let what = format!("{key} = {:.60}", value.to_string());
        for (call, place) in [
            (app.post(RULES, &wrong), named),
            (app.put(&path, &wrong), named),
            (app.post(PREVIEW, &json!({ "rule": wrong })), inside.as_str()),
            (app.post(PREVIEW, &json!({ "ruleId": known, "rule": wrong })), inside.as_str()),
        ] {
            let refused = call.by(&team.admin).send().await;
            assert_eq!(refused.problem(), (status, "VALIDATION_FAILED"), "{what}: {refused:?}");
            assert_eq!(violations(&refused), [(place, code)], "{what}");
            let said = refused.message();
            assert!(said.contains(words) || said == format!("不支持的字段：{place}"), "{what}: {said}");
        }
    }
    for (body, place, code) in [
        (json!({}), "ruleId", "required"),
        (json!({ "ruleId": "x" }), "ruleId", "id"),
        (json!({ "rule": 7 }), "rule", "not_a_map"),
        (json!({ "ruleId": known, "until": "2026-02-30" }), "until", "date"),
    ] {
        let refused =
            app.post(PREVIEW, &body).by(&team.operator).header("accept-language", "en").send().await;
        assert_eq!(violations(&refused), [(place, code)], "{refused:?}");
        assert!(refused.message().contains(place), "{refused:?}");
    }
    // Whether a rule counts is no part of what it says.
    let switched = app.put(&path, &with(two_days(), "enabled", &json!(false))).by(&team.admin).send().await;
    assert_eq!((switched.status, violations(&switched)), (400, vec![("enabled", "unknown_field")]));
    assert_eq!(app.head().await, head, "nothing was written");

    let gone = app.call(Method::DELETE, &path).by(&team.admin).send().await;
    assert_eq!(gone.status, 200, "{gone:?}");
    for call in [
        app.put(&path, &two_days()),
        app.patch(&format!("{path}/toggle"), &json!({ "enabled": true })),
        app.post(PREVIEW, &json!({ "ruleId": known })),
        app.get(&path),
    ] {
        let refused = call.by(&team.admin).send().await;
        assert_eq!(refused.problem(), (404, "RECYCLE_RULE_NOT_FOUND"), "{refused:?}");
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_limits_are_refused_and_the_old_ones_hold(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let set = app.put(POOL, &json!({ "holdingCap": 7 })).by(&team.admin).key("cap").send().await;
    assert_eq!(set.data()["inForce"]["holdingCap"], 7);
    for (body, status, place, code, words) in [
        (json!({ "holdingCap": 0 }), 422, "holdingCap", "out_of_range", "客户持有上限必须在1到1000000之间"),
        (json!({ "holdingCap": "NaN" }), 422, "holdingCap", "not_a_number", "客户持有上限必须是数字"),
        (json!({ "holdingCap": u64::MAX }), 422, "holdingCap", "out_of_range", "客户持有上限"),
        (json!({ "claimsPerDay": -1 }), 422, "claimsPerDay", "out_of_range", "每日领取数量必须在"),
        (json!({ "claimGapSeconds": 86_401 }), 422, "claimGapSeconds", "out_of_range", "领取间隔秒数必须在"),
        (json!({ "coolOffHours": 1.5 }), 422, "coolOffHours", "not_whole", "释放后冷却小时数必须是整数"),
        (json!({ "holdingCapByRole": { "chef": 5 } }), 422, "holdingCapByRole.chef", "unknown_code", "admin"),
        (json!({ "holdingCapByRole": 5 }), 400, "holdingCapByRole", "not_a_map", "各角色持有上限"),
        (json!({ "assignmentsHeldToCap": 1 }), 400, "assignmentsHeldToCap", "not_a_bool", "分配受上限约束"),
        (json!({ "limit": 1 }), 400, "limit", "unknown_field", "不支持的字段：limit"),
    ] {
        let refused = app.put(POOL, &body).by(&team.admin).send().await;
        assert_eq!((refused.status, violations(&refused)), (status, vec![(place, code)]), "{body}");
        assert!(refused.message().contains(words), "{body}: {}", refused.message());
    }
    let reused = app.put(POOL, &json!({ "holdingCap": 8 })).by(&team.admin).key("cap").send().await;
    assert_eq!(reused.problem(), (422, "IDEMPOTENCY_KEY_REUSED"));
    let again = app.put(POOL, &json!({ "holdingCap": 7 })).by(&team.admin).key("cap").send().await;
    assert!(again.is_replay(), "{again:?}");
    let held = app.get(POOL).by(&team.operator).send().await;
    assert_eq!((held.version(), &held.data()["rules"]["holdingCap"]), (1, &json!(7)), "{held:?}");
    app.finish().await;
}

/// The leads of a preview.
fn named(preview: &Value) -> BTreeSet<String> {
    let leads = preview["leads"].as_array().expect("leads").iter();
    leads.map(|lead| lead["_id"].as_str().expect("an id").to_owned()).collect()
}

/// Four of the employee's and two of the colleague's. The first waits no more, the second is frozen, the third was referred
/// by a customer, the fourth is signed.
async fn six_leads(app: &TestApp) -> Vec<String> {
    let team = app.team.clone();
    let mut leads = vec![];
    for n in 0..6 {
        let owner = if n < 4 { &team.employee } else { &team.colleague };
        leads.push(app.lead_of(&team.admin, owner, n).await);
    }
    // Not waiting any more; frozen; referred by a customer; signed.
    for (lead, change) in [
        (0, json!({ "contractStatus": "匹配中" })),
        (2, json!({ "leadSource": "转介绍" })),
        (3, json!({ "contractStatus": "已签约" })),
    ] {
        let path = format!("/api/customers/{}", leads[lead]);
        assert_eq!(app.patch(&path, &change).by(&team.admin).send().await.status, 200);
    }
    let freeze = format!("/api/customers/{}/freeze", leads[1]);
    assert_eq!(app.patch(&freeze, &json!({})).by(&team.admin).send().await.status, 200);
    app.settle().await;
    leads
}

/// Which of the leads fell, when so many did.
async fn fallen(app: &TestApp, leads: &[String], count: usize) -> BTreeSet<String> {
    eventually("they fall", async || {
        let mut fallen = BTreeSet::new();
        for lead in leads {
            if types(&app.history(lead).await).contains(&"CustomerRecycled") {
                fallen.insert(lead.clone());
            }
        }
        (fallen.len() >= count).then_some(fallen)
    })
    .await
}

/// Why leads are in the pool.
async fn reasons(app: &TestApp) -> BTreeSet<(String, String)> {
    let admin = token(app, &app.team.admin, Role::Admin);
    let pool = app.get("/api/customers/public-pool").token(&admin).send().await;
    pool.data()["customers"]
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| {
            Some((row["_id"].as_str()?.to_owned(), row["publicPoolEntryReason"].as_str()?.to_owned()))
        })
        .collect()
}

/// A rule that spares everybody comes, is looked at as if it went, and goes.
async fn what_a_rule_keeps_is_shown(app: &TestApp, leads: &[String], until: DateTime<Utc>) {
    let (admin, manager) = (app.team.admin.clone(), app.team.manager.clone());
    let gentle = json!({
        "name": "六十天", "kind": "no_follow_up", "days": 60, "priority": 1, "effectiveFrom": "2020-01-01",
    });
    let id = app.post(RULES, &gentle).by(&admin).send().await.id();
    app.settle().await;
    let behind = async |until: DateTime<Utc>| {
        let body = json!({ "ruleId": id, "enabled": false, "until": until.to_rfc3339() });
        let shown = app.post(PREVIEW, &body).by(&manager).send().await;
        assert_eq!((shown.status, &shown.data()["total"]), (200, &json!(0)), "{shown:?}");
        shown.data()["behind"].clone()
    };
    assert_eq!(behind(app.now()).await["total"], 0, "none of them is due yet");
    let shown = behind(until).await;
    assert_eq!(named(&shown), [0, 4, 5].map(|n: usize| leads[n].clone()).into());
    assert_eq!((&shown["total"], &shown["more"]), (&json!(3), &json!(false)));
    let rules: BTreeSet<&str> =
        shown["leads"].as_array().expect("leads").iter().filter_map(|one| one["ruleName"].as_str()).collect();
    assert_eq!(rules, BTreeSet::from(["两天未跟进", "三天未签约"]));
    let gone = app.call(Method::DELETE, &format!("{RULES}/{id}")).by(&admin).send().await;
    assert_eq!(gone.status, 200, "{gone:?}");
    app.settle().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_a_preview_names_is_who_falls(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let leads = six_leads(&app).await;
    let until = app.now() + TimeDelta::days(4);
    let preview = async |draft: Value| {
        let body = json!({ "rule": draft, "until": until.to_rfc3339() });
        let shown = app.post(PREVIEW, &body).by(&team.manager).send().await;
        assert_eq!(shown.status, 200, "{shown:?}");
        shown.data().clone()
    };
    let write = async |text: &Value| app.post(RULES, text).by(&team.admin).send().await;

    // Both have the same place: the one that was written first is asked first.
    let waiting = with(with(two_days(), "statuses", &json!(["待定"])), "effectiveFrom", &json!("2020-01-01"));
    let everybody = json!({ "name": "三天未签约", "kind": "not_signed", "days": 3 });
    let first = preview(waiting.clone()).await;
    assert_eq!(named(&first), BTreeSet::from([leads[4].clone(), leads[5].clone()]));
    assert!(
        moment(&first["effectiveFrom"]) >= app.now() - TimeDelta::minutes(1),
        "never in the past: {first}"
    );
    assert_eq!(
        named(&preview(everybody.clone()).await).len(),
        3,
        "alone it fits the one that waits no more too"
    );
    let written = write(&waiting).await;
    assert!(moment(&written.data()["effectiveFrom"]) >= app.now() - TimeDelta::minutes(1), "{written:?}");
    app.settle().await;
    let second = preview(everybody.clone()).await;
    assert_eq!(named(&second), BTreeSet::from([leads[0].clone()]), "the first rule decides for the others");
    assert_eq!((&second["total"], &second["people"][0]["count"]), (&json!(1), &json!(1)));
    let far = (app.now() + TimeDelta::days(60)).to_rfc3339();
    let later = preview(with(everybody.clone(), "effectiveFrom", &json!(far))).await;
    assert_eq!((&later["total"], &later["more"]), (&json!(0), &json!(false)), "not before it takes effect");
    write(&everybody).await;
    app.settle().await;
    what_a_rule_keeps_is_shown(&app, &leads, until).await;

    app.advance(TimeDelta::hours(4 * 24 - 1));
    let expected: BTreeSet<String> = named(&first).union(&named(&second)).cloned().collect();
    assert_eq!(fallen(&app, &leads, expected.len()).await, expected, "exactly those");
    app.settle().await;
    let reason = |n: usize, words: &str| (leads[n].clone(), words.to_owned());
    let waited = "超过2天未跟进，自动回收";
    assert_eq!(
        reasons(&app).await,
        BTreeSet::from([reason(0, "3天内未签约，自动回收"), reason(4, waited), reason(5, waited)])
    );
    app.finish().await;
}
