//! The event log, read back row by row from the database itself, and what it says.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr as _;

use anyhow::{Context as _, Result};
use domain::customer::CustomerEvent;
use domain::notification::{
    Channel, Decision, DeliveryState, NotificationEvent, NotificationRequested, Settlement,
};
use domain::staff::StaffEvent;
use domain::{CustomerId, DeliveryId, EventId, Metadata, StaffId, StoredEvent as _, StreamId};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use uuid::Uuid;

/// Rows read at once.
const PAGE: i64 = 5000;

const ROWS: &str = "SELECT position, event_id, stream_id, sequence, event_type, payload, metadata \
                    FROM events WHERE position > $1 ORDER BY position LIMIT $2";

/// What the reason begins with when a channel need not speak because another one did.
const TOLD_BY: &str = "told_by_";

/// A row of the log: position, event id, stream, sequence, type, payload, metadata.
pub(super) type Row = (i64, Uuid, String, i64, String, String, String);

const DECISIONS: &str =
    "SELECT event_id, recipient, scene, channel, decision FROM decisions ORDER BY position";

const COUNTS: &str = "SELECT key, value FROM counts WHERE kind = 'owned_leads' ORDER BY key";

const COUNT_OF_TYPE: &str = "SELECT count(*) FROM events WHERE event_type = $1";

const PARKED: &str = "SELECT position, reason FROM parked ORDER BY position";

/// Reads a database and never writes to it.
#[derive(Debug)]
pub enum Reader {
    /// An SQLite file, opened read-only.
    Sqlite(SqliteConnection),
    /// A PostgreSQL database, with read-only transactions.
    Postgres(PgConnection),
}

/// A lead was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// The event.
    pub event: EventId,
    /// Which lead.
    pub customer: CustomerId,
    /// Its name.
    pub name: String,
    /// Who created it.
    pub by: Option<StaffId>,
    /// Who owned it at the end of the same command.
    pub first_owner: Option<StaffId>,
}

/// A lead got an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The event.
    pub event: EventId,
    /// Which lead.
    pub customer: CustomerId,
    /// The owner before; `None` when nobody owned it.
    pub from: Option<StaffId>,
    /// The owner after.
    pub to: StaffId,
    /// Who did it.
    pub by: Option<StaffId>,
}

/// A delivery as its events left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Index of its notice in [`History::notices`].
    pub notice: usize,
    /// The channel.
    pub channel: Channel,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts begun.
    pub attempts: u32,
    /// Whether it was taken back because another channel told the same.
    pub told_otherwise: bool,
    /// Whether it went out marked as possibly repeated.
    pub possibly_repeated: bool,
}

/// A recorded decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The event.
    pub cause: EventId,
    /// Who.
    pub recipient: StaffId,
    /// The notification type.
    pub scene: String,
    /// The channel.
    pub channel: String,
    /// `deliver`, `merge`, `hold` or `suppress`.
    pub decision: String,
}

/// What the log says.
#[derive(Debug, Default)]
pub struct History {
    /// Position of the last event read.
    pub head: i64,
    /// Rows read.
    pub rows: i64,
    /// Positions and sequences that do not follow the one before, and rows that could not be understood.
    pub faults: Vec<String>,
    /// Every creation, in order.
    pub creations: Vec<Creation>,
    /// Every change of owner, in order.
    pub handovers: Vec<Handover>,
    /// Every binding of somebody to WeChat or `WeCom`, in order.
    pub bindings: Vec<(EventId, StaffId)>,
    /// Every request for a notice, in order.
    pub notices: Vec<NotificationRequested>,
    /// Every delivery of those.
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    sequences: HashMap<String, i64>,
    commands: HashMap<CustomerId, Metadata>,
}

impl Reader {
    /// Opens it.
    pub async fn open(url: &str) -> Result<Self> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?.read_only(true);
            return Ok(Self::Sqlite(SqliteConnection::connect_with(&options).await?));
        }
        let options = PgConnectOptions::from_str(url)?.options([("default_transaction_read_only", "on")]);
        Ok(Self::Postgres(PgConnection::connect_with(&options).await?))
    }

    /// The whole log.
    pub async fn read(&mut self) -> Result<History> {
        let mut history = History::default();
        self.continue_reading(&mut history).await?;
        Ok(history)
    }

    /// What was appended since.
    pub async fn continue_reading(&mut self, history: &mut History) -> Result<()> {
        loop {
            let rows = self.rows(history.head).await.context("cannot read the event log")?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                history.add(row);
            }
        }
    }

    /// Every decision there is: one for each event, recipient, type and channel.
    pub async fn decisions(&mut self) -> Result<Vec<Decided>> {
        type Row = (Uuid, Uuid, String, String, String);
        let rows: Vec<Row> = match self {
            Self::Sqlite(connection) => sqlx::query_as(DECISIONS).fetch_all(connection).await,
            Self::Postgres(connection) => sqlx::query_as(DECISIONS).fetch_all(connection).await,
        }
        .context("cannot read the decisions")?;
        let decided = |(cause, recipient, scene, channel, decision)| Decided {
            cause: EventId(cause),
            recipient: StaffId(recipient),
            scene,
            channel,
            decision,
        };
        Ok(rows.into_iter().map(decided).collect())
    }

    /// The events the program gave up on for the time being, with its reasons.
    pub async fn parked(&mut self) -> Result<Vec<String>> {
        let rows: Vec<(i64, String)> = match self {
            Self::Sqlite(connection) => sqlx::query_as(PARKED).fetch_all(connection).await,
            Self::Postgres(connection) => sqlx::query_as(PARKED).fetch_all(connection).await,
        }
        .context("cannot read the parked events")?;
        Ok(rows.into_iter().map(|(position, reason)| format!("position {position}: {reason}")).collect())
    }

    /// How many events of this type there are.
    pub async fn count(&mut self, event_type: &str) -> Result<i64> {
        match self {
            Self::Sqlite(connection) => {
                sqlx::query_scalar(COUNT_OF_TYPE).bind(event_type).fetch_one(connection).await
            }
            Self::Postgres(connection) => {
                sqlx::query_scalar(COUNT_OF_TYPE).bind(event_type).fetch_one(connection).await
            }
        }
        .context("cannot count the events")
    }

    /// How many leads everybody owns, as the program counts them for its limits.
    pub async fn owned_leads(&mut self) -> Result<BTreeMap<StaffId, i64>> {
        let rows: Vec<(String, i64)> = match self {
            Self::Sqlite(connection) => sqlx::query_as(COUNTS).fetch_all(connection).await,
            Self::Postgres(connection) => sqlx::query_as(COUNTS).fetch_all(connection).await,
        }
        .context("cannot read the counts")?;
        rows.into_iter().map(|(key, value)| Ok((key.parse()?, value))).collect()
    }

    /// The next rows behind a position; none at the head.
    pub(super) async fn rows(&mut self, after: i64) -> sqlx::Result<Vec<Row>> {
        match self {
            Self::Sqlite(connection) => {
                sqlx::query_as(ROWS).bind(after).bind(PAGE).fetch_all(connection).await
            }
            Self::Postgres(connection) => {
                sqlx::query_as(ROWS).bind(after).bind(PAGE).fetch_all(connection).await
            }
        }
    }
}

impl History {
    /// The owner of every lead, by the last change.
    pub fn owners(&self) -> BTreeMap<CustomerId, StaffId> {
        self.handovers.iter().map(|handover| (handover.customer, handover.to)).collect()
    }

    /// The name of every lead.
    pub fn names(&self) -> BTreeMap<CustomerId, &str> {
        self.creations.iter().map(|creation| (creation.customer, creation.name.as_str())).collect()
    }

    /// Deliveries that stand in this state.
    pub fn in_state(&self, state: DeliveryState) -> impl Iterator<Item = DeliveryId> {
        self.deliveries.iter().filter(move |(_, delivery)| delivery.state == state).map(|(id, _)| *id)
    }

    /// Deliveries of which more is to come by itself.
    pub fn unfinished(&self) -> usize {
        self.deliveries.values().filter(|delivery| !delivery.state.is_final()).count()
    }

    pub(super) fn add(&mut self, row: Row) {
        let (position, event_id, stream, sequence, event_type, payload, metadata) = row;
        if position != self.head + 1 {
            self.faults.push(format!("position {position} follows {}", self.head));
        }
        self.head = position;
        self.rows += 1;
        let last = self.sequences.entry(stream.clone()).or_insert(0);
        if sequence != *last + 1 {
            self.faults.push(format!("{stream}: sequence {sequence} follows {last}"));
        }
        *last = sequence;
        if let Err(error) = self.understand(EventId(event_id), &stream, &event_type, &payload, &metadata) {
            self.faults.push(format!("position {position}, {event_type}: {error:#}"));
        }
    }

    fn understand(
        &mut self,
        event: EventId,
        stream: &str,
        event_type: &str,
        payload: &str,
        metadata: &str,
    ) -> Result<()> {
        let stream = StreamId::parse(stream).context("not the name of a stream")?;
        let metadata: Metadata = serde_json::from_str(metadata).context("metadata")?;
        match (stream.kind(), stream.uuid()) {
            ("customer", Some(id)) => {
                let fact = CustomerEvent::decode(event_type, payload)?;
                self.customer(event, CustomerId(id), fact, metadata);
            }
            ("staff", Some(id)) => {
                let fact = StaffEvent::decode(event_type, payload)?;
                if matches!(fact, StaffEvent::WechatBound(_) | StaffEvent::WecomBound(_)) {
                    self.bindings.push((event, StaffId(id)));
                }
            }
            ("notification", _) => self.notification(NotificationEvent::decode(event_type, payload)?),
            _ => {}
        }
        Ok(())
    }

    fn customer(&mut self, event: EventId, customer: CustomerId, fact: CustomerEvent, metadata: Metadata) {
        let (from, to, by) = match fact {
            CustomerEvent::Created(created) => {
                let by = created.by.staff();
                let name = created.profile.name;
                self.creations.push(Creation { event, customer, name, by, first_owner: None });
                self.commands.insert(customer, metadata);
                return;
            }
            CustomerEvent::Assigned(assigned) => (None, assigned.to, assigned.by.staff()),
            CustomerEvent::Transferred(moved) => (Some(moved.from), moved.to, moved.by.staff()),
            _ => return,
        };
        let same_command =
            self.commands.get(&customer).is_some_and(|created| created.command == metadata.command);
        if same_command
            && let Some(creation) = self.creations.iter_mut().rfind(|creation| creation.customer == customer)
        {
            creation.first_owner = Some(to);
        }
        self.handovers.push(Handover { event, customer, from, to, by });
    }

    /// A small fold of its own: the aggregate's would repeat the aggregate's mistakes.
    fn notification(&mut self, fact: NotificationEvent) {
        let (delivery, state) = match fact {
            NotificationEvent::Requested(request) => return self.requested(request),
            NotificationEvent::Started(e) => {
                if let Some(found) = self.deliveries.get_mut(&e.delivery) {
                    found.attempts += 1;
                }
                (e.delivery, DeliveryState::InFlight)
            }
            NotificationEvent::Accepted(e) => (e.delivery, DeliveryState::Accepted),
            NotificationEvent::Rejected(e) => (e.delivery, DeliveryState::Rejected),
            NotificationEvent::RetryScheduled(e) => (e.delivery, DeliveryState::Retry),
            NotificationEvent::Uncertain(e) => (e.delivery, DeliveryState::Unknown),
            NotificationEvent::Died(e) => (e.delivery, DeliveryState::Dead),
            NotificationEvent::Requeued(e) => (e.delivery, DeliveryState::Pending),
            NotificationEvent::Cancelled(e) => {
                if let Some(found) = self.deliveries.get_mut(&e.delivery) {
                    found.told_otherwise = e.reason.starts_with(TOLD_BY);
                }
                (e.delivery, DeliveryState::Cancelled)
            }
            NotificationEvent::Released(e) => {
                if let Some(found) = self.deliveries.get_mut(&e.delivery) {
                    found.possibly_repeated = e.possibly_repeated;
                }
                (e.delivery, DeliveryState::Pending)
            }
            NotificationEvent::Merged(e) => (e.delivery, DeliveryState::Merged),
            NotificationEvent::Settled(e) if e.settlement == Settlement::Sent => {
                (e.delivery, DeliveryState::Accepted)
            }
            NotificationEvent::Settled(_) => return, // what is unknown stays unknown
            NotificationEvent::Discarded(e) => (e.delivery, DeliveryState::Cancelled),
            NotificationEvent::Confirmed(e) => (e.delivery, DeliveryState::Delivered),
        };
        match self.deliveries.get_mut(&delivery) {
            Some(found) => found.state = state,
            None => self.faults.push(format!("delivery {delivery} is {state} and was never requested")),
        }
    }

    fn requested(&mut self, request: NotificationRequested) {
        let notice = self.notices.len();
        for planned in &request.deliveries {
            let state = match (&planned.decision, planned.channel) {
                (Decision::Deliver, Channel::InApp) => DeliveryState::Delivered,
                (Decision::Deliver, _) => DeliveryState::Pending,
                (Decision::Merge { .. }, _) => DeliveryState::Merged,
                (Decision::Hold { .. } | Decision::Standby { .. }, _) => DeliveryState::Held,
                (Decision::Suppress { .. }, _) => DeliveryState::Suppressed,
            };
            let channel = planned.channel;
            let (told_otherwise, possibly_repeated) = (false, false);
            let delivery =
                Delivery { notice, channel, state, attempts: 0, told_otherwise, possibly_repeated };
            if self.deliveries.insert(planned.delivery, delivery).is_some() {
                self.faults.push(format!("delivery {} was requested twice", planned.delivery));
            }
        }
        self.notices.push(request);
    }
}
