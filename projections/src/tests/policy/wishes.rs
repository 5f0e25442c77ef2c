//! Routes, quiet hours, digests and published words, as the rows of the outbox see them.

use std::sync::Arc;

use application::bus::StreamAppend;
use application::channels::{ChannelSettings, Routes, wechat_cloud, wecom_robot};
use chrono::{DateTime, TimeDelta, Utc};
use domain::StreamId;
use domain::customer::AssignmentSource::{Create, Manual};
use domain::notification::Channel;
use domain::preferences::{
    Day, Digest, Document, Language, Mode, PreferencesEvent, PreferencesSet, QuietHours, Rule, Whose, Window,
};
use domain::staff::Role;
use domain::template::{TemplateEvent, TemplatePublished};
use infrastructure::bus::Bus;
use infrastructure::releaser::{Releaser, StoredDigestWriter};
use infrastructure::upcasters::Upcasters;
use infrastructure::with_pool;
use rstest::rstest;

use super::super::kit::{Backend, by, customer, dawn, staff};
use super::kit::{ADMIN, LI, Office, ZHANG, assigned, created, transferred, wechat};
use crate::policy_runner::{FALLBACK_AFTER, PolicyRunner};

/// Three channels: `WeChat`'s message, behind it the cloud function, behind it the robot.
pub(super) fn chain() -> ChannelSettings {
    let (app, name) = (super::kit::APP.to_owned(), "销售群".to_owned());
    ChannelSettings {
        wechat_cloud: Some(wechat_cloud::Settings { app, env: "prod".to_owned(), function: "f".to_owned() }),
        wecom_robot: Some(wecom_robot::Settings {
            name,
            corp: None,
            kind: wecom_robot::Kind::Text,
            public_url: None,
        }),
        routes: Routes::parse([(
            "default",
            vec![Channel::WechatSubscribe, Channel::WechatCloud, Channel::WecomRobot],
        )])
        .unwrap(),
        ..wechat()
    }
}

/// Channel, state, what it is held for, when it is due, seconds until the next channel speaks.
pub(super) type Work = (String, String, Option<String>, DateTime<Utc>, Option<i64>);

const WORK: &str = "SELECT channel, state, held_for, due_at, fallback_seconds FROM outbox
 ORDER BY cause_position, position, channel DESC";

impl Office {
    pub(super) fn chained(&self) -> PolicyRunner {
        self.policy_of(&self.world.projections, chain(), Upcasters::none())
    }

    pub(super) async fn answer_chained(&self) {
        self.answer_by(&self.chained(), crate::policy_runner::PAGE_EVENTS).await;
    }

    pub(super) async fn work(&self) -> Vec<Work> {
        with_pool!(&self.world.db, pool => sqlx::query_as(WORK).fetch_all(pool).await).unwrap()
    }

    /// The deliveries that wait for a moment: which, for what, and when they are due.
    async fn held(&self) -> Vec<(String, DateTime<Utc>)> {
        let held = self.work().await.into_iter().filter_map(|(_, state, held_for, due_at, _)| {
            let reason = held_for.filter(|reason| state == "held" && reason != "standby")?;
            Some((reason, due_at))
        });
        held.collect()
    }

    async fn wish(&self, whose: Whose, document: Document) {
        self.wish_at(whose, document, dawn()).await;
    }

    async fn wish_at(&self, whose: Whose, document: Document, at: DateTime<Utc>) {
        let set: PreferencesEvent = PreferencesSet { whose, document, by: by(ADMIN), at }.into();
        let stream = whose.stream();
        let before = self.world.log.stream(&stream, 0, 100).await.unwrap().len();
        let append = StreamAppend::of(stream, i64::try_from(before).unwrap(), &[set]).unwrap();
        self.command_at(vec![append], at).await;
    }

    /// Somebody gives a lead to Li at this moment.
    pub(super) async fn give(&self, n: u128, at: DateTime<Utc>) {
        let events = [created(n, ADMIN), assigned(LI, ADMIN, Create)];
        self.command_at(vec![StreamAppend::of(customer(n), 0, &events).unwrap()], at).await;
    }

    /// What somebody gains is told once a day.
    pub(super) async fn collect_daily(&self, who: u128) {
        let daily = Digest::Daily { at: "18:00".parse().unwrap() };
        self.wish(Whose::Staff(staff(who)), collected(daily)).await;
    }

    /// Lets go what was held.
    pub(super) fn releaser(&self) -> Releaser {
        let bus = Bus::new(self.world.log.clone(), Arc::new(Upcasters::none()));
        let writer = StoredDigestWriter::new(bus.clone(), Arc::new(wechat()));
        Releaser::new(bus, Arc::new(writer), self.world.clock.clone(), FALLBACK_AFTER)
    }

    async fn decided(&self, channel: Channel) -> Vec<String> {
        let rows: Vec<String> = with_pool!(&self.world.db, pool => sqlx::query_scalar(
            "SELECT decision || coalesce(' ' || reason, '') FROM decisions
              WHERE scene = 'CUSTOMER_ASSIGNED' AND channel = $1 ORDER BY position, recipient")
            .bind(channel.as_str()).fetch_all(pool).await)
        .unwrap();
        rows
    }
}

fn due(row: &Work) -> (&str, &str, Option<&str>, Option<i64>) {
    (&row.0, &row.1, row.2.as_deref(), row.4)
}

fn nights() -> Document {
    let window = Window {
        days: Day::ALL.iter().copied().collect(),
        from: "22:00".parse().unwrap(),
        to: "08:00".parse().unwrap(),
    };
    let quiet = QuietHours { windows: vec![window], ..QuietHours::default() };
    Document { quiet: Some(quiet), ..Document::default() }
}

fn collected(digest: Digest) -> Document {
    let scene = Some("CUSTOMER_ASSIGNED".to_owned());
    let rules = vec![Rule { scene, channel: None, mode: Mode::Digest }];
    Document { rules, digest: Some(digest), ..Document::default() }
}

/// A moment of one day in Beijing.
fn clock(time: &str) -> DateTime<Utc> {
    format!("2027-01-20T{time}+08:00").parse().unwrap()
}

/// At most two minutes later: the full hour is spread.
fn spread_from(at: DateTime<Utc>) -> std::ops::RangeInclusive<DateTime<Utc>> {
    at..=at + TimeDelta::minutes(2)
}

const ME: fn() -> Whose = || Whose::Staff(staff(LI));

#[rstest]
#[tokio::test]
async fn every_channel_of_the_route_has_its_row_from_the_beginning(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    office.give(1, dawn()).await;
    office.answer_chained().await;
    let seconds = i64::try_from(FALLBACK_AFTER.as_secs()).unwrap();
    let work = office.work().await;
    assert_eq!(
        work.iter().map(due).collect::<Vec<_>>(),
        [
            ("wecom_robot", "held", Some("standby"), None),
            ("wechat_subscribe", "pending", None, Some(seconds)),
            ("wechat_cloud", "held", Some("standby"), Some(seconds)),
        ]
    );
    assert_eq!(office.decided(Channel::WechatSubscribe).await, ["deliver"]);
    assert_eq!(office.decided(Channel::WechatCloud).await, ["standby wechat_subscribe"]);
    assert_eq!(office.decided(Channel::WecomRobot).await, ["standby wechat_cloud"]);
    assert_eq!(office.decided(Channel::WecomApp).await, ["suppress not_routed"]);
    assert!(crate::policy_runner::reconcile(&office.chained(), 0).await.unwrap().is_clean());
    // A lead that is lost takes the whole route back, whether it waits in the outbox or in the same page.
    office.happen(1, transferred(LI, ZHANG, ADMIN, Manual)).await;
    office.give(2, dawn()).await;
    office.happen(2, transferred(LI, ZHANG, ADMIN, Manual)).await;
    office.answer_chained().await;
    let states: Vec<String> = office.work().await.into_iter().map(|(_, state, ..)| state).collect();
    let count = |state: &str| states.iter().filter(|known| *known == state).count();
    assert_eq!((count("cancelled"), count("pending"), count("held")), (6, 2, 4), "{states:?}");
    assert_eq!(office.cancelled().await.len(), 6);
    assert!(crate::policy_runner::reconcile(&office.chained(), 0).await.unwrap().is_clean());
}

#[rstest]
#[tokio::test]
async fn a_night_is_held_to_the_second_and_let_go_when_it_is_wished_away(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(1, 500)] page: usize,
) {
    let office = Office::open(backend).await;
    let policy = office.policy();
    office.wish(ME(), nights()).await;
    office.give(1, clock("07:59:59")).await;
    office.give(2, clock("08:00:00")).await;
    office.give(3, clock("22:00:00")).await;
    office.answer_by(&policy, page).await;
    let decided = office.decided(Channel::WechatSubscribe).await;
    assert_eq!(
        decided,
        [
            "hold quiet_hours until 2027-01-20T00:00:00Z",
            "deliver",
            "hold quiet_hours until 2027-01-21T00:00:00Z"
        ]
    );
    let morning = clock("08:00:00");
    let held = office.held().await;
    assert_eq!(held.len(), 2);
    assert!(spread_from(morning).contains(&held[0].1), "{held:?}");
    assert!(spread_from(morning + TimeDelta::days(1)).contains(&held[1].1), "{held:?}");
    assert!(office.reconciled().await.is_clean());
    // Who ends the quiet hours does not wait for them; a colleague's wish changes nothing.
    office.wish(Whose::Staff(staff(ZHANG)), Document::default()).await;
    office.answer_by(&policy, page).await;
    assert_eq!(office.held().await, held);
    office.wish_at(ME(), Document::default(), clock("22:31:10")).await;
    office.answer_by(&policy, page).await;
    let now: Vec<DateTime<Utc>> = office.held().await.into_iter().map(|(_, due_at)| due_at).collect();
    assert_eq!(now, [held[0].1, clock("22:31:10")], "what was due earlier stays due then");
}

#[rstest]
#[tokio::test]
async fn what_a_policy_asks_late_is_as_old_as_its_event(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(9, 10)] seconds: i64,
) {
    let office = Office::open(backend).await;
    office.give(1, clock("21:59:55")).await;
    let now = clock("21:59:55") + TimeDelta::seconds(seconds);
    office.world.clock.set(now);
    office.answer().await;
    let sql = "SELECT created_at, due_at FROM outbox WHERE channel = 'wechat_subscribe'";
    let rows: Vec<(DateTime<Utc>, DateTime<Utc>)> =
        with_pool!(&office.world.db, pool => sqlx::query_as(sql).fetch_all(pool).await).unwrap();
    let asked = if seconds < 10 { now } else { clock("21:59:55") };
    assert!(!rows.is_empty() && rows.iter().all(|row| *row == (asked, now)), "{rows:?}");
}

#[rstest]
#[tokio::test]
async fn a_burst_is_known_across_pages_and_processes(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(1, 2, 500)] page: usize,
) {
    let office = Office::open(backend).await;
    let minute = |n| clock("12:03:00") + TimeDelta::minutes(n);
    office.give(1, minute(-5)).await;
    office.answer_by(&office.policy(), page).await;
    office.wish(Whose::Role(Role::Employee), collected(Digest::Burst { minutes: 10 })).await;
    office.give(2, minute(0)).await;
    office.give(3, minute(5)).await;
    // Each time a process that remembers nothing.
    office.answer_by(&office.policy(), page).await;
    office.give(4, minute(14)).await;
    office.give(5, minute(15)).await;
    office.answer_by(&office.policy(), page).await;
    assert_eq!(
        office.decided(Channel::WechatSubscribe).await,
        [
            "deliver",
            "hold digest_burst until 2027-01-20T04:08:00Z",
            "deliver",
            "hold digest_burst until 2027-01-20T04:18:00Z",
            "deliver",
        ]
    );
    assert!(office.reconciled().await.is_clean());
    // Turned off: what is collected is due at once.
    let turned_off = minute(14) + TimeDelta::seconds(30);
    office.wish_at(Whose::Role(Role::Employee), Document::default(), turned_off).await;
    office.answer_by(&office.policy(), page).await;
    let due: Vec<DateTime<Utc>> = office.held().await.into_iter().map(|(_, due_at)| due_at).collect();
    assert_eq!(due, [minute(5), minute(14) + TimeDelta::seconds(30)]);
    // Asked again from the beginning, every answer is the same.
    let once = office.seen().await;
    office.rewind().await;
    office.answer_by(&office.policy(), page).await;
    assert_eq!(office.seen().await, once);
}

#[rstest]
#[tokio::test]
async fn digests_turned_off_in_the_night_are_told_when_it_is_over(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    let daily = Digest::Daily { at: "18:00".parse().unwrap() };
    office.wish(ME(), collected(daily)).await;
    office.give(1, clock("19:00:00")).await;
    office.wish_at(ME(), nights(), clock("23:00:00")).await;
    office.answer().await;
    let held = office.held().await;
    assert_eq!(held[0].0, "digest_daily");
    assert!(spread_from(clock("08:00:00") + TimeDelta::days(1)).contains(&held[0].1), "{held:?}");
}

#[rstest]
#[tokio::test]
async fn words_and_languages_are_those_of_the_moment(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(1, 500)] page: usize,
) {
    let office = Office::open(backend).await;
    let template = &application::texts::ASSIGNED;
    let publish = |version, content: &str| {
        let mut wording = template.wording();
        wording.zh_cn.content = content.to_owned();
        let (key, by) = (template.key.to_owned(), by(ADMIN));
        let published: TemplateEvent = TemplatePublished { key, version, wording, by, at: dawn() }.into();
        published
    };
    let stream = || StreamId::template(template.key);
    office.give(1, dawn()).await;
    office.world.append(stream(), &[publish(1001, "归您了：{{customerName}}")]).await;
    office.give(2, dawn()).await;
    let english = Document { locale: Some(Language::En), ..Document::default() };
    office.wish(ME(), english).await;
    office.give(3, dawn()).await;
    office.world.append(stream(), &[publish(1002, "{{unknown}}")]).await;
    office.wish(ME(), Document::default()).await;
    office.give(4, dawn()).await;
    office.answer_by(&office.policy(), page).await;
    let requests = office.requests().await;
    let of_li: Vec<(String, i64)> = requests
        .iter()
        .map(|event| serde_json::from_str(event.payload.get()).unwrap())
        .filter(|request: &domain::notification::NotificationRequested| request.scene == "CUSTOMER_ASSIGNED")
        .map(|request| (request.message.content, request.template_version))
        .collect();
    assert_eq!(
        of_li,
        [
            ("您有新的客户【客户1】，电话：138****8999，来源：未填写，请及时跟进！".to_owned(), 1),
            ("归您了：客户2".to_owned(), 1001),
            (
                "You have a new customer: 客户3, phone 138****8999, source: not given. Please follow up soon!"
                    .to_owned(),
                1001
            ),
        ]
    );
    let parked = crate::policy_runner::parked(&office.world.db).await.unwrap();
    assert_eq!(parked.len(), 1, "words that cannot be filled park the event");
    assert!(parked[0].reason.contains("unknown"), "{}", parked[0].reason);
    // Repaired words do not change the past: the event is answered as of its moment, and stays parked.
    office.world.append(stream(), &[publish(1003, "{{customerName}}")]).await;
    office.answer_by(&office.policy(), page).await;
    let retried = crate::policy_runner::retry_parked(&office.policy()).await.unwrap();
    assert_eq!(retried.still_parked, 1);
}
