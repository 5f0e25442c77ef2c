//! What is wrong with a rule, a run or a question gets the right 4xx, names the place and the rule in both languages,
//! and changes nothing.

use chrono::TimeDelta;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Call, Person, Reply, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::{EXECUTE, NOBODY, RULES, idle_leads, owner, predicted, rule, start, violations, write};

/// `body` with something at a place that has it or not.
fn with(body: &Value, place: &str, value: &Value) -> Value {
    let mut body = body.clone();
    let mut at = &mut body;
    for member in place.split('.') {
        at = &mut at[member];
    }
    *at = value.clone();
    body
}

/// Status, place and rule of the one violation; its words name the place in English and are Chinese otherwise.
async fn one_violation<'n>(call: impl Fn() -> Call<'n>, what: &str) -> (u16, String, String) {
    let chinese = call().send().await;
    let english = call().header("accept-language", "en").send().await;
    let named = violations(&chinese);
    assert_eq!((chinese.problem().1, named.len()), ("VALIDATION_FAILED", 1), "{what}: {chinese:?}");
    assert_eq!((chinese.status, &named), (english.status, &violations(&english)), "{what}");
    let (path, code) = named.into_iter().next().expect("a violation");
    assert!(english.message().contains(path.as_str()), "{what}: {}", english.message());
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    assert!(chinese.message().contains(is_chinese), "{what}: {}", chinese.message());
    (chinese.status, path, code)
}

/// A place of a rule, what somebody may send there, and what is said of it.
type Wrong = (&'static str, Value, u16, &'static str, &'static str);

fn wrong_words() -> Vec<Wrong> {
    vec![
        ("ruleName", json!("长".repeat(10_000)), 422, "ruleName", "too_long"),
        ("ruleName", json!("规\u{0}则"), 422, "ruleName", "control_character"),
        ("ruleName", json!("规则\u{202e}"), 422, "ruleName", "control_character"),
        ("ruleName", json!(["闲置"]), 400, "ruleName", "not_text"),
        ("description", json!("长".repeat(501)), 422, "description", "too_long"),
        ("description", json!("说\u{7}明"), 422, "description", "control_character"),
        ("enabled", json!("yes"), 400, "enabled", "not_a_bool"),
        ("targetModule", json!("caregiver"), 422, "targetModule", "unknown_code"),
        ("userQuotas", json!([]), 400, "userQuotas", "unknown_field"),
    ]
}

fn wrong_conditions() -> Vec<Wrong> {
    let days = |from: &str, to: &str| json!({ "startDate": from, "endDate": to });
    let (idle, rest, most) = (
        "triggerConditions.inactiveHours",
        "triggerConditions.transferCooldownHours",
        "triggerConditions.maxTransferCount",
    );
    let (statuses, sources) = ("triggerConditions.contractStatuses", "triggerConditions.leadSources");
    let range = "triggerConditions.createdDateRange";
    let (first_day, last_day) =
        ("triggerConditions.createdDateRange.startDate", "triggerConditions.createdDateRange.endDate");
    vec![
        ("triggerConditions", json!([1]), 400, "triggerConditions", "not_a_map"),
        ("triggerConditions.idle", json!(1), 400, "triggerConditions.idle", "unknown_field"),
        (idle, json!(0), 422, idle, "out_of_range"),
        (idle, json!(-48), 422, idle, "out_of_range"),
        (idle, json!(721), 422, idle, "out_of_range"),
        (idle, json!(u64::MAX), 422, idle, "out_of_range"),
        (idle, json!(1e300), 422, idle, "out_of_range"),
        (idle, json!(1.5), 422, idle, "not_whole"),
        (idle, json!("NaN"), 422, idle, "not_a_number"),
        (idle, json!("1e999"), 422, idle, "not_a_number"),
        (idle, json!({ "$gt": 0 }), 422, idle, "not_a_number"),
        (idle, json!(true), 422, idle, "not_a_number"),
        (rest, json!(-1), 422, rest, "out_of_range"),
        (most, json!(100), 422, most, "out_of_range"),
        (statuses, json!([]), 422, statuses, "required"),
        (statuses, json!("待定"), 400, statuses, "not_a_list"),
        (statuses, json!(["失效"]), 422, "triggerConditions.contractStatuses[0]", "unknown_code"),
        (statuses, json!([7]), 400, "triggerConditions.contractStatuses[0]", "not_text"),
        (sources, json!(["月球"]), 422, "triggerConditions.leadSources[0]", "unknown_code"),
        (range, json!("2026"), 400, range, "not_a_map"),
        (range, days("2026-02-02", "2026-02-01"), 422, range, "ends_before_it_begins"),
        (range, days("2026-02-30", "2026-03-01"), 422, first_day, "date"),
        (range, days("0001-01-01", "2026-03-01"), 422, first_day, "date"),
        (range, days("2026-03-01", "gestern"), 422, last_day, "date"),
    ]
}

fn wrong_hours_and_people() -> Vec<Wrong> {
    let people =
        |count: usize| (0..count).map(|n| json!(uuid::Uuid::from_u128(n as u128))).collect::<Vec<_>>();
    let (begin, end, zone) = ("executionWindow.startTime", "executionWindow.endTime", "executionWindow.zone");
    let (strategy, priority) = ("distributionConfig.strategy", "distributionConfig.compensationPriority");
    let compensation = "distributionConfig.enableCompensation";
    vec![
        ("executionWindow", json!("always"), 400, "executionWindow", "not_a_map"),
        (begin, json!("24:00"), 422, begin, "time_of_day"),
        (begin, json!("7:5"), 422, begin, "time_of_day"),
        (begin, json!("09:60"), 422, begin, "time_of_day"),
        (begin, json!("-1:30"), 422, begin, "time_of_day"),
        (begin, json!("０９:３０"), 422, begin, "time_of_day"),
        (end, json!("18:30:00"), 422, end, "time_of_day"),
        (end, json!(1830), 400, end, "not_text"),
        (zone, json!("Mars/Olympus"), 422, zone, "zone"),
        (zone, json!("UTC+8"), 422, zone, "zone"),
        ("sourceUserIds", json!(people(501)), 422, "sourceUserIds", "too_many"),
        ("targetUserIds", json!(people(10_000)), 422, "targetUserIds", "too_many"),
        ("targetUserIds", json!({ "0": NOBODY }), 400, "targetUserIds", "not_a_list"),
        ("targetUserIds", json!(["everybody"]), 422, "targetUserIds[0]", "id"),
        ("targetUserIds", json!([7]), 400, "targetUserIds[0]", "not_text"),
        (strategy, json!("first-come"), 422, strategy, "unknown_code"),
        (priority, json!(0), 422, priority, "out_of_range"),
        (priority, json!(11), 422, priority, "out_of_range"),
        (compensation, json!(1), 400, compensation, "not_a_bool"),
    ]
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_rule_is_refused_at_its_place_and_changes_nothing(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let body = rule(&app, &[&team.employee], &[&team.colleague]);
    let path = format!("{RULES}/{}", write(&app, &body).await.id());
    app.settle().await;
    let head = app.head().await;
    for (place, value, status, named, code) in
        [wrong_words(), wrong_conditions(), wrong_hours_and_people()].concat()
    {
        let sent = with(&body, place, &value);
        for (method, path) in [(Method::POST, RULES), (Method::PATCH, &path)] {
            let what = format!("{method} {place} = {:.60}", value.to_string());
            let call = || app.call(method.clone(), path).by(&team.manager).json(&sent);
            let expected = (status, named.to_owned(), code.to_owned());
            assert_eq!(one_violation(call, &what).await, expected, "{what}");
        }
    }
    // All of them at once, whatever is nested in what.
    let mut all = body.clone();
    for (place, value) in [("ruleName", json!(7)), ("executionWindow.zone", json!("x")), ("colour", json!(1))]
    {
        all = with(&all, place, &value);
    }
    let refused = app.post(RULES, &all).by(&team.manager).send().await;
    let mut places: Vec<_> = violations(&refused).into_iter().map(|(place, _)| place).collect();
    places.sort();
    assert_eq!(
        (refused.status, places),
        (400, ["colour", "executionWindow.zone", "ruleName"].map(String::from).to_vec())
    );
    assert_eq!(app.head().await, head, "nothing was written");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_odd_and_is_right_is_kept_as_it_was_meant(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let body = rule(&app, &[&team.employee], &[&team.colleague]);
    let created = write(&app, &body).await;
    let path = format!("{RULES}/{}", created.id());
    let shown = created.data().clone();
    // Nothing is said, in every way of saying nothing.
    let nothing = json!({
        "ruleName": null, "description": "一小时没有跟进", "enabled": null, "targetModule": " ", "triggerConditions": {},
        "executionWindow": null, "sourceUserIds": null, "targetUserIds": null, "distributionConfig": { "strategy": null },
    });
    for body in [json!({}), nothing, body.clone()] {
        let same = app.patch(&path, &body).by(&team.manager).send().await;
        assert_eq!((same.version(), same.data()), (1, &shown), "{body}");
    }
    let twice = json!([team.colleague.id, team.dispatch.id, team.colleague.id]);
    let day = json!({ "startDate": "2026-03-08", "endDate": "2026-03-08" });
    for (place, value, expected) in [
        ("targetUserIds", twice, json!([team.colleague.id, team.dispatch.id])),
        (
            "triggerConditions.contractStatuses",
            json!(["匹配中", "待定", "匹配中"]),
            json!(["匹配中", "待定"]),
        ),
        ("triggerConditions.inactiveHours", json!("48"), json!(48)),
        ("executionWindow.zone", json!("America/New_York"), json!("America/New_York")),
        // An hour that this zone skips on that day.
        ("executionWindow.startTime", json!("02:15"), json!("02:15")),
        ("executionWindow.endTime", json!("02:45"), json!("02:45")),
        ("triggerConditions.createdDateRange", day.clone(), day),
        ("triggerConditions.createdDateRange", json!({}), Value::Null),
        ("triggerConditions.createdDateRange", Value::Null, Value::Null),
        ("description", json!(""), Value::Null),
    ] {
        let change = with(&json!({}), place, &value);
        let changed = app.patch(&path, &change).by(&team.manager).send().await;
        assert_eq!(changed.status, 200, "{place}: {changed:?}");
        let pointer = format!("/{}", place.replace('.', "/"));
        let mut kept = changed.data().pointer(&pointer).cloned().unwrap_or_default();
        if let (Some(kept), "triggerConditions.contractStatuses") = (kept.as_array_mut(), place) {
            kept.sort_by_key(|one| *one != "匹配中");
        }
        assert_eq!(kept, expected, "{place}");
        let asked = app.get(&format!("{path}/predict")).by(&team.operator).send().await;
        assert_eq!(asked.status, 200, "{place}: {asked:?}");
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_question_is_refused_by_its_parameter(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let id = write(&app, &rule(&app, &[&team.employee], &[&team.colleague])).await.id();
    let (records, statistics) = ("/api/lead-transfer/records", "/api/lead-transfer/statistics");
    let predict = format!("{RULES}/{id}/predict");
    for (path, query, name, code) in [
        (records, "page=0", "page", "out_of_range"),
        (records, "page=1000001", "page", "out_of_range"),
        (records, "page=eins", "page", "not_whole"),
        (records, "limit=0", "limit", "out_of_range"),
        (records, "limit=-1", "limit", "out_of_range"),
        (records, "limit=1000000000", "limit", "out_of_range"),
        (records, "limit=1e2", "limit", "not_whole"),
        (records, "status=unknown", "status", "unknown_code"),
        (records, "ruleId=1", "ruleId", "id"),
        (records, "runId=x", "runId", "id"),
        (records, "customerId=CUS00000000001", "customerId", "id"),
        (records, "fromUserId=manager", "fromUserId", "id"),
        (records, "toUserId=%00", "toUserId", "id"),
        (records, "startDate=2026-02-30", "startDate", "date"),
        (records, "endDate=yesterday", "endDate", "date"),
        (records, "endDate=%2B262142-12-31", "endDate", "date"),
        (records, "colour=red", "colour", "unknown_field"),
        (statistics, "ruleId=x", "ruleId", "id"),
        (statistics, "startDate=now", "startDate", "date"),
        (statistics, "page=1", "page", "unknown_field"),
        (RULES, "targetModule=caregiver", "targetModule", "unknown_code"),
        (RULES, "page=1", "page", "unknown_field"),
        (&predict, "seed=-1", "seed", "not_whole"),
        (&predict, "seed=99999999999999999999", "seed", "not_whole"),
        (&predict, "at=2026-01-01", "at", "unknown_field"),
    ] {
        let call = || app.get(&format!("{path}?{query}")).by(&team.manager);
        let expected = (400, name.to_owned(), code.to_owned());
        assert_eq!(one_violation(call, query).await, expected, "{path}?{query}");
    }
    // Whose span is the wrong way round asks for nothing; an id of nothing finds nothing.
    for query in
        ["startDate=2026-03-02&endDate=2026-03-01", &format!("ruleId={NOBODY}"), "page=1000000&limit=200"]
    {
        let none = app.get(&format!("{records}?{query}")).by(&team.manager).send().await;
        assert_eq!((&none.data()["records"], &none.data()["total"]), (&json!([]), &json!(0)), "{query}");
    }
    for person in ["x", "%FF", "%00", "..%2Fme", &"9".repeat(3000), NOBODY] {
        let unknown =
            app.get(&format!("/api/lead-transfer/user-statistics/{person}")).by(&team.admin).send().await;
        assert_eq!(unknown.problem(), (404, "USER_NOT_FOUND"), "{person}");
        let own_only =
            app.get(&format!("/api/lead-transfer/user-statistics/{person}")).by(&team.employee).send().await;
        assert_eq!((own_only.status, own_only.message()), (403, "只能查看自己的流转统计"), "{person}");
        let rule = app.get(&format!("{RULES}/{person}")).by(&team.admin).send().await;
        assert_eq!(rule.problem(), (404, "TRANSFER_RULE_NOT_FOUND"), "{person}");
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_run_moves_nothing(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let body = rule(&app, &[&team.employee], &[&team.colleague]);
    let (id, other) = (write(&app, &body).await.id(), write(&app, &body).await.id());
    let training = write(&app, &with(&body, "targetModule", &json!("training"))).await.id();
    let leads = idle_leads(&app, 2).await;
    let plan = predicted(&app, &id).await["planHash"].clone();
    let short = "ab".repeat(31);
    for (body, status, place, code) in [
        (json!({ "ruleId": "x" }), 422, "ruleId", "id"),
        (json!({ "ruleId": [id] }), 400, "ruleId", "not_text"),
        (json!({ "batchSize": -2 }), 422, "batchSize", "out_of_range"),
        (json!({ "batchSize": 1_000_000_000 }), 422, "batchSize", "out_of_range"),
        (json!({ "batchSize": "alle" }), 422, "batchSize", "not_a_number"),
        (json!({ "batchSize": 1.5 }), 422, "batchSize", "not_whole"),
        (json!({ "planHash": short }), 422, "planHash", "too_short"),
        (json!({ "planHash": "x".repeat(65) }), 422, "planHash", "too_long"),
        (json!({ "planHash": 7 }), 400, "planHash", "not_text"),
        (json!({ "rule": id }), 400, "rule", "unknown_field"),
    ] {
        let call = || app.post(EXECUTE, &body).by(&team.manager);
        let expected = (status, place.to_owned(), code.to_owned());
        assert_eq!(one_violation(call, &body.to_string()).await, expected, "{body}");
    }
    for (body, problem) in [
        (json!({ "ruleId": NOBODY }), (404, "TRANSFER_RULE_NOT_FOUND")),
        (json!({ "ruleId": training }), (409, "TRANSFER_RULE_OF_OTHER_MODULE")),
        (json!({ "planHash": "键".repeat(64) }), (409, "TRANSFER_PLAN_UNKNOWN")),
        (json!({ "ruleId": other, "planHash": plan }), (409, "TRANSFER_PLAN_UNKNOWN")),
    ] {
        let refused = app.post(EXECUTE, &body).by(&team.manager).send().await;
        assert_eq!(refused.problem(), problem, "{body}");
    }
    let list = app.post(EXECUTE, &json!([])).by(&team.manager).send().await;
    assert_eq!((list.status, violations(&list)), (400, vec![(String::new(), "not_an_object".to_owned())]));
    let conditional = app.post(EXECUTE, &json!({ "ruleId": id })).by(&team.manager).if_match(1).send().await;
    assert_eq!(conditional.problem(), (400, "INVALID_HEADER"));

    // Who was cut off a moment ago runs nothing; a preview that nobody wanted for hours is gone.
    app.suspend(&team.manager).await;
    for call in [app.post(EXECUTE, &json!({ "planHash": plan })), app.post(RULES, &body), app.get(RULES)] {
        let refused = call.by(&team.manager).send().await;
        assert_eq!((refused.status, refused.message()), (401, "账号已被暂停，无法访问系统"));
    }
    app.activate(&team.manager).await;
    app.advance(TimeDelta::minutes(121));
    let expired = app.post(EXECUTE, &json!({ "planHash": plan })).by(&team.manager).send().await;
    assert_eq!(expired.problem(), (409, "TRANSFER_PLAN_UNKNOWN"));
    for lead in &leads {
        assert_eq!(owner(&app, lead).await, json!(team.employee.id), "nothing moved");
    }
    app.finish().await;
}

async fn run(app: &TestApp, by: &Person, key: &str, body: &Value) -> Reply {
    app.post(EXECUTE, body).by(by).key(key).send().await
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_names_one_run_for_ever(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let body = rule(&app, &[&team.employee], &[&team.colleague]);
    let (id, other) = (write(&app, &body).await.id(), write(&app, &body).await.id());
    idle_leads(&app, 2).await;
    let planned = json!({ "planHash": predicted(&app, &id).await["planHash"] });
    let first = run(&app, &team.manager, "plan", &planned).await;
    assert_eq!(first.data()["transferredCount"], 2, "{first:?}");
    let reused = (422, "IDEMPOTENCY_KEY_REUSED");
    for body in [
        json!({}),
        json!({ "ruleId": id }),
        json!({ "ruleId": other }),
        json!({ "planHash": "0".repeat(64) }),
    ] {
        assert_eq!(run(&app, &team.manager, "plan", &body).await.problem(), reused, "{body}");
    }
    let all = run(&app, &team.admin, "plan", &json!({})).await;
    assert_eq!((all.status, all.is_replay()), (200, false), "a key is its sender's own: {all:?}");
    assert_eq!(run(&app, &team.admin, "plan", &json!({ "ruleId": id })).await.problem(), reused);

    // The preview is forgotten and the rule is gone; what was done under the key stays told.
    app.advance(TimeDelta::minutes(121));
    let gone = app.call(Method::DELETE, &format!("{RULES}/{id}")).by(&team.manager).send().await;
    assert_eq!(gone.status, 204);
    app.settle().await;
    let again = run(&app, &team.manager, "plan", &planned).await;
    assert!(again.is_replay(), "{again:?}");
    assert_eq!(again.data()["runs"], first.data()["runs"]);
    let created = app.post(RULES, &body).by(&team.manager).key("rule").send().await;
    let replay = app.post(RULES, &body).by(&team.manager).key("rule").send().await;
    assert!(replay.is_replay() && replay.id() == created.id(), "{replay:?}");
    let renamed = with(&body, "ruleName", &json!("别的"));
    assert_eq!(app.post(RULES, &renamed).by(&team.manager).key("rule").send().await.problem(), reused);
    app.finish().await;
}
