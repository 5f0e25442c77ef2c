//! Staff, leads and commands for the policy, and what can be seen of its work.

use std::sync::Arc;

use application::bus::{Draft, NewEvent, StreamAppend};
use application::channels::{ChannelSettings, wechat_subscribe};
use application::policies::POLICY;
use application::ports::Ids;
use chrono::{DateTime, Utc};
use domain::batch::{BatchAssignmentCompleted, BatchEvent, MovedCustomer};
use domain::contact::{OpenId, Phone};
use domain::customer::{
    AssignmentSource, ContractStatus, CustomerAssigned, CustomerCreated, CustomerEvent, CustomerNumber,
    CustomerTransferred, LeadLevel, Profile,
};
use domain::notification::NotificationRequested;
use domain::staff::{Role, StaffEvent, StaffRegistered, StaffWechatBound};
use domain::{Actor, BatchId, CommandId, EventId, Metadata, Position, StreamId};
use infrastructure::bus::Bus;
use infrastructure::event_log::{Filter, RecordedRaw};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::upcasters::Upcasters;
use infrastructure::{with_pool, with_tx};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::super::kit::{Backend, World, by, customer, dawn, staff};
use crate::Projections;
use crate::policy_runner::{PolicyRunner, Reconciliation, reconcile, register, tuned};

pub(super) const APP: &str = "wx-app";

/// A role each; see [`Office::open`].
pub(super) const ADMIN: u128 = 1;
pub(super) const MANAGER: u128 = 2;
pub(super) const ZHANG: u128 = 3;
pub(super) const LI: u128 = 4;

/// Of the channels that these stories have settings for.
const DECISIONS: &str = "SELECT recipient, scene, channel, decision || coalesce(' ' || reason, '')
  FROM decisions WHERE channel IN ('in_app', 'wechat_subscribe') ORDER BY recipient, scene, channel, 4, position";

/// The correlation of everything a person does in these stories.
pub(super) const REQUEST: &str = "request-1";

/// An agency with an admin, a manager and two employees, all of them bound to the mini program.
pub(super) struct Office {
    pub(super) world: World,
    /// What happened before is not the policy's: everybody is hired and bound.
    pub(super) began: Position,
}

/// Everything the policy wrote, in an order that does not depend on the database.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    /// Recipient, type, text.
    pub(super) notices: Vec<(Uuid, String, String)>,
    /// Recipient, type, channel, decision with its reason.
    pub(super) decisions: Vec<(Uuid, String, String, String)>,
    /// Work in the outbox.
    pub(super) work: i64,
}

impl Office {
    pub(super) async fn open(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let people =
            [(ADMIN, "甲", Role::Admin), (MANAGER, "乙", Role::Manager), (ZHANG, "张三", Role::Employee)];
        for (n, name, role) in people.into_iter().chain([(LI, "李四", Role::Employee)]) {
            let at = dawn();
            let by = Actor::System("cli".to_owned());
            let registered = StaffRegistered {
                username: format!("user{n}"),
                name: name.to_owned(),
                role,
                department: None,
                phone: None,
                email: None,
                by: by.clone(),
                at,
            };
            let openid = OpenId::parse(&format!("openid-{n}")).unwrap();
            let bound = StaffWechatBound { app: APP.to_owned(), openid, by, at };
            world.append::<StaffEvent>(staff(n), &[registered.into(), bound.into()]).await;
        }
        let began = world.log.head().await.unwrap();
        register(&world.log, world.projections.consumers()).await.unwrap();
        Self { world, began }
    }

    /// The policy of one process, with WeChat configured.
    pub(super) fn policy(&self) -> PolicyRunner {
        self.policy_of(&self.world.projections, wechat(), Upcasters::none())
    }

    pub(super) fn policy_of(
        &self,
        projections: &Projections,
        channels: ChannelSettings,
        upcasters: Upcasters,
    ) -> PolicyRunner {
        let bus = Bus::new(self.world.log.clone(), Arc::new(upcasters));
        let consumers = projections.consumers().clone();
        PolicyRunner::new(bus, consumers, Arc::new(channels), self.world.clock.clone())
    }

    /// Answers everything there is, some events at a time.
    pub(super) async fn answer_by(&self, policy: &PolicyRunner, events: usize) {
        let consumer = tuned(self.world.projections.consumer(POLICY)).with_page(events);
        consumer.catch_up(&mut policy.handler()).await.unwrap().expect("this process owns the policy");
    }

    /// Answers everything there is.
    pub(super) async fn answer(&self) {
        self.answer_by(&self.policy(), crate::policy_runner::PAGE_EVENTS).await;
    }

    /// Somebody's command.
    pub(super) async fn command(&self, streams: Vec<StreamAppend>) {
        self.command_at(streams, dawn()).await;
    }

    /// The same at another moment.
    pub(super) async fn command_at(&self, streams: Vec<StreamAppend>, recorded_at: DateTime<Utc>) {
        let metadata = Metadata {
            command: CommandId(TimeOrderedIds.next()),
            correlation: REQUEST.to_owned(),
            causation: None,
            actor: by(ADMIN),
        };
        let draft = Draft { metadata, recorded_at, streams, guards: Vec::new(), receipt: None };
        self.world.log.append(draft).await.unwrap();
    }

    pub(super) async fn create(&self, n: u128, creator: u128, owner: Option<u128>) {
        let mut events = vec![created(n, creator)];
        events.extend(owner.map(|to| assigned(to, creator, AssignmentSource::Create)));
        self.command(vec![StreamAppend::of(customer(n), 0, &events).unwrap()]).await;
    }

    pub(super) async fn happen(&self, n: u128, event: CustomerEvent) {
        self.world.append(customer(n), &[event]).await;
    }

    /// Gives leads to Li: `moved` are (lead, its owner before).
    pub(super) async fn batch(&self, moved: &[(u128, Option<u128>)]) {
        let batch = BatchId(TimeOrderedIds.next());
        let source = AssignmentSource::Batch(batch);
        let mut streams = Vec::new();
        for (n, from) in moved {
            let event = match from {
                None => assigned(LI, ADMIN, source),
                Some(from) => transferred(*from, LI, ADMIN, source),
            };
            let stream = StreamId::from(customer(*n));
            let sequence = self.world.log.stream(&stream, 0, 100).await.unwrap().len();
            streams.push(StreamAppend::of(stream, i64::try_from(sequence).unwrap(), &[event]).unwrap());
        }
        let moved = moved
            .iter()
            .map(|(n, from)| MovedCustomer { customer: customer(*n), from: from.map(staff) })
            .collect();
        let completed: BatchEvent = BatchAssignmentCompleted {
            to: staff(LI),
            moved,
            reason: None,
            out_of_pool: false,
            by: by(ADMIN),
            at: dawn(),
        }
        .into();
        streams.push(StreamAppend::of(batch, 0, &[completed]).unwrap());
        self.command(streams).await;
    }

    /// An event of a lead that no program of today can read.
    pub(super) async fn garble(&self, n: u128, schema_version: i32) {
        let sequence = self.world.log.stream(&customer(n).into(), 0, 100).await.unwrap().len();
        let readable = NewEvent::of(&assigned(LI, ADMIN, AssignmentSource::Manual)).unwrap();
        let event = NewEvent { schema_version, ..readable };
        let expected = i64::try_from(sequence).unwrap();
        let stream = StreamId::from(customer(n));
        self.command(vec![StreamAppend { stream, expected, events: vec![event], because: None }]).await;
    }

    pub(super) async fn requests(&self) -> Vec<RecordedRaw> {
        self.world.log.page(0, 4096, Filter::Types(&["NotificationRequested"])).await.unwrap()
    }

    pub(super) async fn seen(&self) -> Seen {
        let mut notices: Vec<_> = self
            .requests()
            .await
            .iter()
            .map(|event| {
                let request: NotificationRequested = serde_json::from_str(event.payload.get()).unwrap();
                (request.recipient.0, request.scene, request.message.content)
            })
            .collect();
        notices.sort();
        let decisions =
            with_pool!(&self.world.db, pool => sqlx::query_as(DECISIONS).fetch_all(pool).await).unwrap();
        Seen { notices, decisions, work: self.count("outbox").await }
    }

    pub(super) async fn count(&self, table: &str) -> i64 {
        let statement = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        with_pool!(&self.world.db, pool => sqlx::query_scalar(statement).fetch_one(pool).await).unwrap()
    }

    /// What an operator must never do.
    pub(super) async fn execute(&self, statement: &'static str) {
        let mut tx = self.world.db.begin_write().await.unwrap();
        with_tx!(&mut tx, conn => sqlx::query(statement).execute(conn).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }

    /// Makes the policy look at everything again.
    pub(super) async fn rewind(&self) {
        self.advance_to(self.began).await;
    }

    /// Makes the policy believe that it has answered everything up to here.
    pub(super) async fn advance_to(&self, position: Position) {
        let mut tx = self.world.db.begin_write().await.unwrap();
        with_tx!(&mut tx, conn => sqlx::query("UPDATE consumers SET position = $1 WHERE name = 'policy'")
            .bind(position).execute(conn).await.map(drop))
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// Asks about everything again.
    pub(super) async fn reconciled(&self) -> Reconciliation {
        reconcile(&self.policy(), 0).await.unwrap()
    }

    pub(super) async fn cause_of(&self, event_type: &'static str) -> EventId {
        self.world.log.page(0, 4096, Filter::Types(&[event_type])).await.unwrap().last().unwrap().event_id
    }
}

pub(super) fn wechat() -> ChannelSettings {
    let fields = [("thing1", "customer_name"), ("time2", "assign_time")];
    let settings = wechat_subscribe::Settings {
        app: APP.to_owned(),
        template: "template".to_owned(),
        page: "pages/customer?id={customerId}".to_owned(),
        fields: fields.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
        miniprogram_state: "formal".to_owned(),
    };
    ChannelSettings { wechat_subscribe: Some(settings), ..ChannelSettings::default() }
}

pub(super) fn created(n: u128, creator: u128) -> CustomerEvent {
    let phone = Phone::parse("13812348999").unwrap();
    let profile = Profile { name: format!("客户{n}"), phone: Some(phone), ..Profile::default() };
    CustomerCreated {
        number: CustomerNumber::nth(u64::try_from(n).unwrap()),
        profile,
        contract_status: ContractStatus::Pending,
        lead_level: LeadLevel::A,
        pooled: None,
        import: None,
        by: by(creator),
        at: dawn(),
    }
    .into()
}

pub(super) fn assigned(to: u128, actor: u128, source: AssignmentSource) -> CustomerEvent {
    let out_of_pool = source == AssignmentSource::Pool;
    CustomerAssigned { to: staff(to), by: by(actor), reason: None, source, out_of_pool, at: dawn() }.into()
}

pub(super) fn transferred(from: u128, to: u128, actor: u128, source: AssignmentSource) -> CustomerEvent {
    let (from, to) = (staff(from), staff(to));
    CustomerTransferred { from, to, by: by(actor), reason: None, source, at: dawn() }.into()
}

/// The account of one more manager.
pub(super) fn manager(n: u128) -> StreamAppend {
    let registered: StaffEvent = StaffRegistered {
        username: format!("manager{n}"),
        name: format!("经理{n}"),
        role: Role::Manager,
        department: None,
        phone: None,
        email: None,
        by: Actor::System("cli".to_owned()),
        at: dawn(),
    }
    .into();
    StreamAppend::of(staff(n), 0, &[registered]).unwrap()
}
