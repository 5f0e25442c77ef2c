//! What every event is answered with besides its own customer: the staff, what everybody wishes for, the words people
//! read, and what left for whom lately, all as of one position.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use application::channels::ChannelSettings;
use application::member_notices::audience;
use application::policies::{Fact, PreferenceBook, Reaction, Recent, StaffDirectory, View};
use application::texts::{TemplateBook, kinds};
use chrono::{DateTime, Utc};
use domain::customer::Customer;
use domain::member_notices::{MemberNotices, MemberNoticesEvent};
use domain::preferences::PreferencesSet;
use domain::preferences::{Digest, PreferencesEvent, Whose};
use domain::staff::StaffEvent;
use domain::template::TemplateEvent;
use domain::{Aggregate, CustomerId, Position, StaffId, StoredEvent, StreamId};
use infrastructure::bus::Bus;
use infrastructure::db::DbError;
use infrastructure::event_log::{Filter, PAGE_MAX, RecordedRaw};

use super::decisions;
use super::planner::{Concerned, Known, read};

/// The events it is folded from.
static TYPES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let members = MemberNoticesEvent::TYPES;
    let types = [StaffEvent::TYPES, PreferencesEvent::TYPES, TemplateEvent::TYPES, members].concat();
    types.into_iter().map(|(name, _)| name).collect()
});

/// Everything as of one position.
#[derive(Debug, Clone, Default)]
pub(super) struct Backdrop {
    pub(super) staff: StaffDirectory,
    pub(super) preferences: PreferenceBook,
    templates: TemplateBook,
    member_notices: MemberNotices,
    recent: Recent,
    /// The leads that summaries call by name, as of the events that do.
    named: HashMap<Position, HashMap<CustomerId, Customer>>,
    /// Whose past is in `recent` back to the beginning. What leaves from now on is noted for everybody, and only of
    /// those whose bursts are collected anybody asks.
    remembered: HashSet<StaffId>,
    /// Whether what left about members lately is in `recent`.
    crowd_is_known: bool,
    /// Everything up to here is in it.
    to: Position,
}

impl Backdrop {
    /// As of the beginning of a page. `recent` is read up to there out of the decisions that were recorded, and folded
    /// on while the page is answered; a reconciliation reads the same rows and folds the same answers.
    pub(super) async fn before(
        &mut self,
        bus: &Bus,
        (after, first): (Position, Position),
        page: &[Known],
    ) -> Result<(), DbError> {
        if self.to >= first {
            // The last page was not committed: begin again rather than guess what to take back.
            *self = Self::default();
        }
        if self.to < after {
            self.fold(bus, after).await?;
        }
        self.remember_members(bus, page).await?;
        self.remember(bus, page).await
    }

    /// Whether anybody is told of members now or from some event of the page on.
    pub(super) fn tells_of_members(&self, page: &[Known]) -> bool {
        let changes = || page.iter().any(|known| matches!(known.fact(), Some(Fact::MemberNotices(_))));
        self.member_notices.text.has_audience() || changes()
    }

    /// Reads the leads that the summaries of these events call by name, set-wise, as of each event.
    pub(super) async fn name<'k>(
        &mut self,
        bus: &Bus,
        events: impl Iterator<Item = (Position, &'k Known)>,
    ) -> Result<(), DbError> {
        self.named.clear();
        for (position, known) in events {
            let Known::Fact(fact) = known else { continue };
            let leads = fact.named();
            if leads.is_empty() {
                continue;
            }
            let wanted: Vec<_> = leads.iter().map(|lead| (StreamId::from(*lead), 0)).collect();
            let past = bus.log().streams_many(&wanted).await?;
            let known = leads.into_iter().filter_map(|lead| {
                let events = past.get(&StreamId::from(lead))?;
                Some((lead, as_of(bus, events, position)?))
            });
            self.named.insert(position, known.collect());
        }
        Ok(())
    }

    /// Everything up to `position` was answered and committed.
    pub(super) fn reached(&mut self, position: Position) {
        self.to = self.to.max(position);
    }

    /// As of right after `position`, from the log and the recorded decisions alone.
    pub(super) async fn load(bus: &Bus, position: Position, event: &Known) -> Result<Self, DbError> {
        let mut backdrop = Self::default();
        backdrop.fold(bus, position - 1).await?;
        backdrop.remember_members(bus, std::slice::from_ref(event)).await?;
        backdrop.remember(bus, std::slice::from_ref(event)).await?;
        backdrop.name(bus, std::iter::once((position, event))).await?;
        backdrop.take_in(position, event);
        Ok(backdrop)
    }

    /// Folds an event into what it and the next ones are answered with.
    pub(super) fn take_in(&mut self, position: Position, known: &Known) {
        match known {
            Known::Fact(Fact::Staff(staff, change)) => self.staff.evolve(*staff, change),
            Known::Fact(Fact::Preferences(change)) => self.preferences.evolve(change),
            Known::Fact(Fact::Template(change)) => self.templates.evolve(change),
            Known::Fact(Fact::MemberNotices(change)) => self.member_notices.evolve(change),
            Known::Fact(
                Fact::Customer(..)
                | Fact::Member(..)
                | Fact::Batch(..)
                | Fact::TransferRun(..)
                | Fact::RecycleRun(..)
                | Fact::Order(_),
            )
            | Known::Unreadable(_) => {}
        }
        self.to = position;
    }

    /// What was answered: some of it leaves now.
    pub(super) fn answered<'r>(&mut self, reactions: impl Iterator<Item = &'r Reaction>, at: DateTime<Utc>) {
        for reaction in reactions {
            self.recent.take_in(reaction, at);
        }
    }

    pub(super) fn view<'v>(
        &'v self,
        Concerned { customer, owner_after_command, member }: Concerned<'v>,
        at: DateTime<Utc>,
        channels: &'v ChannelSettings,
    ) -> View<'v> {
        static NOBODY: LazyLock<HashMap<CustomerId, Customer>> = LazyLock::new(HashMap::new);
        let Self { staff, preferences, templates, recent, named, member_notices, to, .. } = self;
        let named = named.get(to).unwrap_or(&NOBODY);
        View {
            customer,
            member,
            member_notices,
            named,
            owner_after_command,
            at,
            staff,
            preferences,
            templates,
            recent,
            channels,
        }
    }

    /// Folds what lies between, the last position included.
    async fn fold(&mut self, bus: &Bus, to: Position) -> Result<(), DbError> {
        let mut after = self.to;
        loop {
            let page = bus.log().page(after, PAGE_MAX, Filter::Types(&TYPES)).await?;
            let full = page.len() == PAGE_MAX;
            for event in page.iter().take_while(|event| event.position <= to) {
                self.take_in_raw(bus, event);
            }
            after = page.last().map_or(to, |event| event.position);
            if !full || after >= to {
                self.to = to;
                return Ok(());
            }
        }
    }

    fn take_in_raw(&mut self, bus: &Bus, event: &RecordedRaw) {
        // An unreadable one was parked where it was met.
        self.take_in(event.position, &read(bus.upcasters(), event));
    }

    /// Reads what left about members lately, before the first answer that depends on it.
    async fn remember_members(&mut self, bus: &Bus, page: &[Known]) -> Result<(), DbError> {
        if self.crowd_is_known || !self.tells_of_members(page) {
            return Ok(());
        }
        let mut left = Vec::new();
        for scene in kinds::MEMBERS {
            left.extend(decisions::left_of(bus.log().db(), audience(), scene, self.to).await?);
        }
        left.sort_unstable();
        for at in left {
            self.recent.note_member(at);
        }
        self.crowd_is_known = true;
        Ok(())
    }

    /// Reads what left for those whose bursts are collected now or from some event of the page on.
    async fn remember(&mut self, bus: &Bus, page: &[Known]) -> Result<(), DbError> {
        let mut people: HashSet<StaffId> = HashSet::new();
        for whose in self.preferences.collect_bursts().chain(page.iter().filter_map(bursts_of)) {
            match whose {
                Whose::Staff(person) => drop(people.insert(person)),
                // Who has the role may change within the page.
                Whose::Role(_) => people.extend(self.staff.everybody()),
            }
        }
        people.retain(|person| !self.remembered.contains(person));
        if people.is_empty() {
            return Ok(());
        }
        let wanted: Vec<StaffId> = people.into_iter().collect();
        for left in decisions::left(bus.log().db(), &wanted, self.to).await? {
            self.recent.note(left.recipient, &left.scene, left.channel, left.at);
        }
        self.remembered.extend(wanted);
        Ok(())
    }
}

/// The lead right after the event at `position`; `None` when its past cannot be read.
fn as_of(bus: &Bus, events: &[RecordedRaw], position: Position) -> Option<Customer> {
    let mut customer = Customer::default();
    for event in events.iter().take_while(|event| event.position <= position) {
        let Known::Fact(Fact::Customer(_, change)) = read(bus.upcasters(), event) else { return None };
        customer.evolve(&change);
    }
    Some(customer)
}

/// Whose bursts are collected from this event on.
fn bursts_of(known: &Known) -> Option<Whose> {
    let Known::Fact(Fact::Preferences(change)) = known else { return None };
    let PreferencesEvent::Set(PreferencesSet { whose, document, .. }) = &**change;
    matches!(document.digest, Some(Digest::Burst { .. })).then_some(*whose)
}
