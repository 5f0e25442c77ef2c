//! One event that concerns many people at great length: more than one append takes.

use std::collections::HashSet;

use application::policies::POLICY;
use domain::NoticeOrderId;
use domain::StreamId;
use domain::notice_order::{NoticeOrderEvent, NoticeOrdered, ORDER_RECIPIENTS_MAX, OrderedWords};
use domain::notification::Channel;
use domain::template::{TemplateEvent, TemplatePublished};
use rstest::rstest;
use serde_json::{Map, json};
use uuid::Uuid;

use super::super::kit::{Backend, by, dawn, staff};
use super::kit::{ADMIN, Office, manager};

/// The first of the people.
const FIRST: u128 = 100;

/// How often the published words repeat what is ordered: words that were published before this was refused.
const TIMES: usize = 20;

impl Office {
    /// An announcement to as many people as one order may name, in words that make it long.
    async fn announce(&self) {
        let crowd = u128::try_from(ORDER_RECIPIENTS_MAX).unwrap();
        self.command((FIRST..FIRST + crowd).map(manager).collect()).await;
        let template = &application::texts::SYSTEM_ANNOUNCEMENT;
        let mut wording = template.wording();
        wording.zh_cn.content = "{{content}}".repeat(TIMES);
        let key = template.key.to_owned();
        let published: TemplateEvent =
            TemplatePublished { key, version: 1001, wording, by: by(ADMIN), at: dawn() }.into();
        self.world.append(StreamId::template(template.key), &[published]).await;
        let value =
            |name: &str| if name == "content" { "🧧".repeat(1000) } else { "/announcements/1".to_owned() };
        let variables: Map<_, _> =
            template.variables.iter().map(|name| ((*name).to_owned(), json!(value(name)))).collect();
        let placed: NoticeOrderEvent = NoticeOrdered {
            scene: template.kind.to_owned(),
            recipients: (FIRST..FIRST + crowd).map(staff).collect(),
            words: OrderedWords::Text { variables },
            data: Map::new(),
            by: by(ADMIN),
            at: dawn(),
        }
        .into();
        self.world.append(NoticeOrderId(Uuid::from_u128(7)), &[placed]).await;
    }

    /// Everybody was told once, by several commands.
    async fn assert_all_told_once(&self) {
        let requests = self.requests().await;
        let streams: HashSet<_> = requests.iter().map(|event| &event.stream).collect();
        assert_eq!((requests.len(), streams.len()), (ORDER_RECIPIENTS_MAX, ORDER_RECIPIENTS_MAX));
        let commands: HashSet<_> = requests.iter().map(|event| event.metadata.command).collect();
        assert!(commands.len() > 2, "they do not fit into two appends");
        assert_eq!(self.count("parked").await, 0);
        let found = self.reconciled().await;
        assert!(found.is_clean(), "{found:?}");
        assert_eq!(found.expected, u64::try_from(ORDER_RECIPIENTS_MAX * Channel::ALL.len()).unwrap());
        let head = self.world.log.head().await.unwrap();
        let reached = self.world.projections.consumers().position(POLICY).await.unwrap().unwrap();
        assert!(reached + i64::try_from(ORDER_RECIPIENTS_MAX).unwrap() >= head, "it went on");
    }
}

#[rstest]
#[tokio::test]
async fn an_order_that_no_append_takes_whole_is_told_to_everybody_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    office.announce().await;
    let mut doorbell = office.world.log.doorbell();
    tokio::select! {
        biased;
        rung = doorbell.changed() => rung.unwrap(),
        () = office.answer() => panic!("it told everybody in one append"),
    }
    let told = office.requests().await.len();
    assert!((1..ORDER_RECIPIENTS_MAX).contains(&told), "it died in between: {told} were told");
    office.answer().await;
    office.assert_all_told_once().await;
    office.rewind().await;
    office.answer().await;
    office.assert_all_told_once().await;
}
