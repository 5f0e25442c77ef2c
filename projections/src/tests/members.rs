//! The members: what their events leave, who is found, and how many came from where.

use domain::member::{
    FieldChange, FieldValue, MemberActivated, MemberDeleted, MemberEvent, MemberField, MemberFields,
    MemberRegistered, MemberSource, MemberStatus, MemberUpdated, RowFingerprint, SourceKey,
};
use domain::{Actor, MemberId};
use infrastructure::with_tx;
use rstest::rstest;

use super::kit::{Backend, World, second};
use crate::queries::PageRequest;
use crate::queries::members::statistics::{SourceCount, UnknownCode, Way, sources, unknown_codes};
use crate::queries::members::{MemberFilter, by_id, by_number, page};

fn member(n: u128) -> MemberId {
    MemberId(uuid::Uuid::from_u128(0x7000 + n))
}

fn intake() -> Actor {
    Actor::System("intake".into())
}

fn registered(source: MemberSource, columns: &[(&str, &str)], seconds: i64) -> MemberEvent {
    let mut fields = MemberFields::default();
    for (column, text) in columns {
        fields.read(column.parse().unwrap(), Some(text)).unwrap();
    }
    let row = Some(RowFingerprint::of(&fields, false));
    let (fields, at) = (Box::new(fields), second(seconds));
    MemberRegistered { source, fields, row, registered_at: None, by: intake(), at }.into()
}

fn crm(key: u32) -> MemberSource {
    MemberSource::Row(SourceKey { source: "crm".into(), table: "members".into(), key: key.to_string() })
}

fn activated(seconds: i64) -> MemberEvent {
    let from = Some(MemberStatus::Pending.into());
    MemberActivated { from, row: None, by: intake(), at: second(seconds) }.into()
}

fn deleted(seconds: i64) -> MemberEvent {
    MemberDeleted { row: None, by: intake(), at: second(seconds) }.into()
}

/// Four members: two of a table, one of the public form, one of the staff that was deleted.
async fn world(backend: Backend) -> World {
    let world = World::new(backend).await;
    let one = [
        ("member_no", "M1"),
        ("nickname", "小王\u{1f600}"),
        ("phone", "13812348999"),
        ("wechat", "wang_88"),
        ("status", "PENDING"),
        ("education", "MBA"),
        ("city", "杭州"),
    ];
    let two = [
        ("member_no", "M2"),
        ("nickname", "100%"),
        ("status", "ACTIVE"),
        ("education", "MBA"),
        ("house_car", "a=b"),
    ];
    let moved = FieldChange {
        field: MemberField::City,
        old: Some(FieldValue::Text("杭州".into())),
        new: Some(FieldValue::Text("上海".into())),
    };
    let moved = MemberUpdated { changed: vec![moved], row: None, by: intake(), at: second(6) }.into();
    world.append(member(1), &[registered(crm(1), &one, 1)]).await;
    world.append(member(2), &[registered(crm(2), &two, 2)]).await;
    world.append(member(3), &[registered(MemberSource::Public, &[("status", "ACTIVE")], 3)]).await;
    let gone = [("member_no", "M4"), ("education", "MBA")];
    world.append(member(4), &[registered(MemberSource::Staff, &gone, 4), deleted(5)]).await;
    world.append(member(1), &[moved, activated(7)]).await;
    world.settle().await;
    world
}

async fn found(world: &World, filter: MemberFilter) -> Vec<MemberId> {
    let found = page(&world.db, &filter, PageRequest::new(1, 10, 100)).await.unwrap();
    assert_eq!(usize::try_from(found.total).unwrap(), found.items.len());
    found.items.into_iter().map(|row| row.id).collect()
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_member_is_what_its_events_say(#[case] backend: Backend) {
    let world = world(backend).await;
    let row = by_id(&world.db, member(1)).await.unwrap().unwrap();
    assert_eq!(row.version, 3);
    assert!(row.member.is_active());
    assert_eq!(row.member.fields.city.as_deref(), Some("上海"));
    assert_eq!(row.member.updated_at, Some(second(7)));
    assert_eq!(by_number(&world.db, "M1").await.unwrap(), Some(row));
    assert_eq!(by_id(&world.db, member(4)).await.unwrap(), None, "a deleted one is not found");
    assert_eq!(by_number(&world.db, "M4").await.unwrap(), None);
    assert_eq!(by_number(&world.db, "m1").await.unwrap(), None);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn members_are_found_by_what_they_are_the_last_registered_first(#[case] backend: Backend) {
    let world = world(backend).await;
    let wanted = |text: &str| Some(text.to_owned());
    let any = MemberFilter::default;
    for (filter, expected) in [
        (any(), vec![3, 2, 1]),
        (MemberFilter { search: wanted("m1"), ..any() }, vec![1]),
        (MemberFilter { search: wanted(" 100% "), ..any() }, vec![2]),
        (MemberFilter { search: wanted("%"), ..any() }, vec![2]),
        (MemberFilter { search: wanted("2348"), ..any() }, vec![]),
        (MemberFilter { search: wanted("2348"), by_contact: true, ..any() }, vec![1]),
        (MemberFilter { search: wanted("WANG"), by_contact: true, ..any() }, vec![1]),
        (MemberFilter { status: wanted("ACTIVE"), ..any() }, vec![3, 2, 1]),
        (MemberFilter { status: wanted("PENDING"), ..any() }, vec![]),
        (MemberFilter { education: wanted("MBA"), ..any() }, vec![2, 1]),
        (MemberFilter { city: wanted("上海"), source: wanted("crm"), ..any() }, vec![1]),
        (MemberFilter { source: wanted("public"), ..any() }, vec![3]),
        (MemberFilter { source: wanted("staff"), ..any() }, vec![]),
        (MemberFilter { from: Some(second(2)), to: Some(second(2)), ..any() }, vec![2]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(member).collect();
        assert_eq!(found(&world, filter.clone()).await, expected, "{filter:?}");
    }
    let second_page = page(&world.db, &any(), PageRequest::new(2, 2, 100)).await.unwrap();
    assert_eq!((second_page.items.len(), second_page.total, second_page.has_more()), (1, 3, false));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn members_and_unknown_codes_are_counted(#[case] backend: Backend) {
    let world = world(backend).await;
    let count = |source: &str, way, total, active, deleted, seconds| SourceCount {
        source: source.into(),
        way,
        total,
        active,
        deleted,
        last_learnt_at: Some(second(seconds)),
    };
    let expected = |way| {
        [
            count("crm", way, 2, 2, 0, 2),
            count("public", Way::Public, 1, 1, 0, 3),
            count("staff", Way::Staff, 1, 0, 1, 4),
        ]
    };
    assert_eq!(sources(&world.db).await.unwrap(), expected(Way::Message), "a program that sends messages");
    let captured = "INSERT INTO intake_sources (source, table_name, mode, since, sweep) VALUES ('crm', 'members', 'poll', $1, '')";
    let mut tx = world.db.begin_write().await.unwrap();
    with_tx!(&mut tx, conn => sqlx::query(captured).bind(second(0)).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    assert_eq!(sources(&world.db).await.unwrap(), expected(Way::Database));

    let code =
        |field: &str, code: &str, members| UnknownCode { field: field.into(), code: code.into(), members };
    let expected = [code("education", "MBA", 2), code("house_car", "a=b", 1)];
    assert_eq!(unknown_codes(&world.db).await.unwrap(), expected);
}
