//! From a statement of somebody else's program to the card of the staff: which changes it lists, who is announced and when,
//! and who is not (member-intake.md sections 2 and 3).

use application::intake::Engine;
use leadwire::wiring::Role;
use rstest::rstest;
use serde_json::json;
use tests::scratch::Backend::{self, Postgres, Sqlite};
use tests::sources::SourceDatabase;

use super::{draining, telling, told};

/// Titles of cards (existing-systems.md section 7.7).
const NEW: &str = "🎉 新会员登记通知";
const ACTIVATED: &str = "✅ 会员激活通知";
const UPDATED: &str = "用户资料更新通知";

#[rstest]
#[case::mysql(Engine::Mysql, Sqlite)]
#[case::postgres(Engine::Postgres, Postgres)]
#[case::sqlite(Engine::Sqlite, Sqlite)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_of_a_row_is_the_card_that_the_staff_reads(#[case] engine: Engine, #[case] own: Backend) {
    let database = SourceDatabase::create(engine).await;
    let source = database.installed().await;
    let (app, reader) = telling(own, draining(database.url(), &[Role::Api]), 0).await;
    let mut somebody = database.session().await;

    somebody.insert(1, "PENDING").await;
    app.drain().await;
    assert!(told(&app, &reader).is_empty(), "who does not take part yet is not announced");
    let mut seen = 0;
    for (change, title, lines) in [
        ("status = 'ACTIVE'", ACTIVATED, &["会员编号：M1"][..]),
        ("city = '杭州'", UPDATED, &["城市：（空） → 杭州"]),
        ("city = NULL, height = 165", UPDATED, &["城市：杭州 → （空）", "身高：（空） → 165"]),
        ("city = '杭州', height = NULL", UPDATED, &["城市：（空） → 杭州", "身高：165 → （空）"]),
    ] {
        somebody.run(&format!("UPDATE members SET {change} WHERE member_no = 'M1'")).await;
        app.drain().await;
        let new = told(&app, &reader).split_off(seen);
        let [(said, text)] = new.as_slice() else { panic!("{change}: {new:?}") };
        assert_eq!(said, title, "{change}");
        for line in lines {
            assert!(text.contains(line), "{change}: {line} is not in {text}");
        }
        // What did not change is not listed among what did.
        assert_eq!(text.matches(" → ").count(), lines.iter().filter(|line| line.contains(" → ")).count());
        seen += 1;
    }

    // A member who is gone before anybody looked is nobody's card, and keeps nobody else waiting.
    somebody.insert(2, "ACTIVE").await;
    somebody.run("DELETE FROM members WHERE member_no = 'M2'").await;
    somebody.insert(3, "ACTIVE").await;
    app.drain().await;
    let new = told(&app, &reader).split_off(seen);
    let [(title, text)] = new.as_slice() else { panic!("{new:?}") };
    assert!(title == NEW && text.contains("会员编号：M3"), "{new:?}");
    let parked = source.parked(i64::MIN, 10).await.expect("what is put aside");
    let [aside] = parked.as_slice() else { panic!("{parked:?}") };
    assert!(aside.reason.starts_with("会员不存在或已删除"), "{aside:?}");
    let shown = app.get("/api/intake/sources").by(&app.team.admin).send().await;
    assert_eq!(shown.data()[0]["parked"], json!(1));
    app.is_reconciled().await;
    app.finish().await;
}
