//! What is asked, and how long each answer took.

use std::time::{Duration, Instant};

use application::access::RowScope;
use application::bus::StreamAppend;
use chrono::TimeDelta;
use domain::customer::{
    ContractStatus, CustomerEvent, CustomerFrozen, FollowUpStatus, LeadLevel, LeadSource, ServiceCategory,
};
use domain::{Actor, StreamId};
use hdrhistogram::Histogram;
use infrastructure::event_log::EventLog;
use projections::queries::customers::{
    self, CustomerFilter, LeadStatus, PAGE_CUSTOMERS_MAX, SortBy, SortOrder,
};
use projections::queries::pool::{self, PoolFilter};
use projections::queries::work::{self, View};
use projections::queries::{PageRequest, Roster};
use projections::{Projections, ReadModel};

use crate::leads::{Dice, STAFF, created_at, customer, dawn, draft, staff};

/// The bars: how long 99 of 100 answers may take at most, for any filter and order, so that a page feels immediate.
const LIST: Duration = Duration::from_millis(20);
const SEARCH: Duration = Duration::from_millis(50);
const STATISTICS: Duration = Duration::from_millis(50);

/// Rows of a page, and how far into the list pages are taken from.
const PAGE_ROWS: u32 = 20;
const PAGES: u32 = 20;

/// Callers who ask at the same time in the one row that is about that.
const CALLERS: u32 = 8;

/// Leads that change between two answers in the row that is about that.
const CHANGED: u32 = 100;

/// Latencies in microseconds by what was asked, in the order it was first asked.
#[derive(Default)]
pub(crate) struct Figures(Vec<(String, Option<Duration>, Histogram<u64>)>);

impl Figures {
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&str, Option<Duration>, &Histogram<u64>)> {
        self.0.iter().map(|(what, bar, latencies)| (what.as_str(), *bar, latencies))
    }

    fn note(&mut self, what: &str, bar: Option<Duration>, took: Duration) -> anyhow::Result<()> {
        let known = self.0.iter().position(|row| row.0 == what);
        let place = known.unwrap_or(self.0.len());
        if known.is_none() {
            self.0.push((what.to_owned(), bar, Histogram::new(3)?));
        }
        self.0[place].2.record(u64::try_from(took.as_micros())?)?;
        Ok(())
    }
}

/// How long an answer takes.
async fn timed<T, E>(answer: impl Future<Output = Result<T, E>>) -> Result<(T, Duration), E> {
    let began = Instant::now();
    Ok((answer.await?, began.elapsed()))
}

/// Asks everything.
pub(crate) async fn ask(
    log: &EventLog,
    projections: &Projections,
    rounds: u32,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let (roster, mut dice) = (projections.roster(), Dice::new(11));
    lists(roster, rounds, &mut dice, figures).await?;
    cursors(roster, rounds, &mut dice, figures).await?;
    for _ in 0..rounds * 20 {
        counts(roster, &mut dice, figures).await?;
    }
    at_once(roster, rounds, figures).await?;
    changing(log, projections, rounds, figures).await
}

/// Each filter with each order for each kind of caller.
async fn lists(roster: &Roster, rounds: u32, dice: &mut Dice, figures: &mut Figures) -> anyhow::Result<()> {
    for _ in 0..rounds {
        for (narrowed, filter) in filters(dice) {
            let bar = if narrowed.contains("part of") { SEARCH } else { LIST };
            for (caller, scope) in callers(dice) {
                for (sort_by, order) in orders() {
                    let filter =
                        CustomerFilter { sort_by: Some(sort_by), sort_order: Some(order), ..filter.clone() };
                    let page = PageRequest::new(1 + dice.below(PAGES), PAGE_ROWS, PAGE_CUSTOMERS_MAX);
                    let (_, took) = timed(customers::list(roster, &filter, scope, page)).await?;
                    figures.note(&format!("list: {narrowed}"), Some(bar), took)?;
                    figures.note(&format!("list by {sort_by} {order}"), Some(LIST), took)?;
                    figures.note(&format!("list of {caller}"), Some(LIST), took)?;
                }
            }
        }
    }
    Ok(())
}

fn orders() -> impl Iterator<Item = (SortBy, SortOrder)> {
    SortBy::ALL.iter().flat_map(|by| SortOrder::ALL.iter().map(|order| (*by, *order)))
}

fn callers(dice: &mut Dice) -> [(&'static str, RowScope); 3] {
    let me = staff(dice.below(STAFF));
    [
        ("an admin", RowScope::All),
        ("an employee", RowScope::OwnedBy(me)),
        ("a dispatcher", RowScope::OwnedOrCreatedBy(me)),
    ]
}

fn filters(dice: &mut Dice) -> Vec<(&'static str, CustomerFilter)> {
    let all = CustomerFilter::default;
    let digits = format!("{:03}", dice.below(1000));
    let (from, days) = (created_at(dice.below(50_000)), TimeDelta::days(1 + i64::from(dice.below(300))));
    vec![
        ("no filter", all()),
        ("a common source", CustomerFilter { lead_source: Some(LeadSource::Meituan), ..all() }),
        ("any source", CustomerFilter { lead_source: Some(dice.one_of(LeadSource::ALL)), ..all() }),
        ("a category", CustomerFilter { service_category: Some(dice.one_of(ServiceCategory::ALL)), ..all() }),
        ("lost", CustomerFilter { contract_status: Some(ContractStatus::Lost), ..all() }),
        ("any status", CustomerFilter { contract_status: Some(dice.one_of(ContractStatus::ALL)), ..all() }),
        ("a level", CustomerFilter { lead_level: Some(dice.one_of(LeadLevel::ALL)), ..all() }),
        ("an owner", CustomerFilter { assigned_to: Some(staff(dice.below(STAFF))), ..all() }),
        ("transferred", CustomerFilter { lead_status: Some(LeadStatus::Transferred), ..all() }),
        ("not transferred", CustomerFilter { lead_status: Some(LeadStatus::NotTransferred), ..all() }),
        (
            "a follow-up status",
            CustomerFilter { follow_up_status: Some(dice.one_of(FollowUpStatus::ALL)), ..all() },
        ),
        (
            "created in a span",
            CustomerFilter { created_from: Some(from), created_to: Some(from + days), ..all() },
        ),
        (
            "assigned in a span",
            CustomerFilter { assigned_from: Some(from), assigned_to_time: Some(from + days), ..all() },
        ),
        (
            "source, level, follow-up and span",
            CustomerFilter {
                lead_source: Some(LeadSource::Douyin),
                lead_level: Some(LeadLevel::A),
                follow_up_status: Some(FollowUpStatus::FollowedUp),
                created_from: Some(dawn()),
                ..all()
            },
        ),
        ("part of name, phone or WeChat id", CustomerFilter { search: Some(digits.clone()), ..all() }),
        ("part of a name", CustomerFilter { name: Some("子".to_owned()), ..all() }),
        ("part of a phone", CustomerFilter { phone: Some(digits), ..all() }),
    ]
}

/// Pages one behind the other.
async fn cursors(roster: &Roster, rounds: u32, dice: &mut Dice, figures: &mut Figures) -> anyhow::Result<()> {
    for _ in 0..rounds {
        for (sort_by, order) in orders() {
            let filter = CustomerFilter {
                sort_by: Some(sort_by),
                sort_order: Some(order),
                ..CustomerFilter::default()
            };
            let page = PageRequest::new(1 + dice.below(PAGES), PAGE_ROWS, PAGE_CUSTOMERS_MAX);
            let mut next = customers::list(roster, &filter, RowScope::All, page).await?.next_cursor;
            for _ in 0..3 {
                let Some(cursor) = next else { break };
                let cursor = cursor.parse()?;
                let (page, took) =
                    timed(customers::list_behind(roster, &filter, RowScope::All, &cursor, PAGE_ROWS)).await?;
                figures.note("list: the page behind a cursor", Some(LIST), took)?;
                next = page.next_cursor;
            }
        }
    }
    Ok(())
}

async fn counts(roster: &Roster, dice: &mut Dice, figures: &mut Figures) -> anyhow::Result<()> {
    let texts = ["欧阳", "wx_", "ZH", "1380", "不在这里", "138000123"];
    let text = dice.one_of(&texts);
    let (_, took) = timed(customers::search(roster, text, 10, RowScope::All)).await?;
    figures.note("search", Some(SEARCH), took)?;
    let everybody = CustomerFilter::default();
    for (caller, scope) in callers(dice) {
        let (_, took) = timed(customers::statistics(roster, &everybody, scope)).await?;
        figures.note(&format!("statistics of {caller}"), Some(STATISTICS), took)?;
    }
    let narrow =
        CustomerFilter { search: Some("138".to_owned()), lead_level: Some(LeadLevel::A), ..everybody };
    let me = staff(dice.below(STAFF));
    let (_, took) = timed(customers::mini_program_statistics(roster, &narrow, RowScope::All, me)).await?;
    figures.note("statistics of the mini program", Some(STATISTICS), took)?;
    let (today, month) = (created_at(99_900), created_at(97_000));
    let (_, took) = timed(work::today(roster, View::Of(me), today, month)).await?;
    figures.note("today's work", Some(STATISTICS), took)?;
    let (_, took) = timed(work::achieved(roster, View::Everybody, today, month)).await?;
    figures.note("what was signed", Some(STATISTICS), took)?;
    let (_, took) = timed(customers::holding_count(roster, me)).await?;
    figures.note("leads a person holds", Some(LIST), took)?;
    let page = PageRequest::new(1 + dice.below(PAGES), PAGE_ROWS, PAGE_CUSTOMERS_MAX);
    let filter =
        PoolFilter { lead_source: dice.percent(50).then_some(LeadSource::Meituan), ..PoolFilter::default() };
    let (_, took) = timed(pool::list(roster, &filter, page)).await?;
    figures.note("pool: list", Some(LIST), took)?;
    let (_, took) = timed(pool::statistics(roster, today)).await?;
    figures.note("pool: statistics", Some(STATISTICS), took)?;
    Ok(())
}

/// The widest list for several callers at once: how the answers share the machine.
async fn at_once(roster: &Roster, rounds: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..CALLERS {
        let roster = roster.clone();
        callers.spawn(async move {
            let mut took = Vec::new();
            for round in 0..rounds * 10 {
                let page = PageRequest::new(1 + (n + round) % PAGES, PAGE_ROWS, PAGE_CUSTOMERS_MAX);
                let filter = CustomerFilter::default();
                took.push(timed(customers::list(&roster, &filter, RowScope::All, page)).await?.1);
            }
            anyhow::Ok(took)
        });
    }
    for took in callers.join_all().await {
        for took in took? {
            figures.note(&format!("list: no filter, {CALLERS} callers at once"), None, took)?;
        }
    }
    Ok(())
}

/// The list right behind many changes: they are read first.
async fn changing(
    log: &EventLog,
    projections: &Projections,
    rounds: u32,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    for round in 0..rounds * 5 {
        let mut streams = Vec::new();
        for n in 1..=CHANGED {
            let stream = StreamId::from(customer(round * CHANGED + n));
            let events = log.stream(&stream, 0, CHANGED as usize).await?;
            let expected = events.last().map_or(0, |event| event.sequence);
            let (reason, by, at) = (None, Actor::System("bench".to_owned()), created_at(99_999));
            let frozen: CustomerEvent = CustomerFrozen { reason, by, at }.into();
            streams.push(StreamAppend::of(stream, expected, &[frozen])?);
        }
        log.append(draft(streams)).await?;
        projections.catch_up(ReadModel::CustomerList).await?;
        let page = PageRequest::new(1, PAGE_ROWS, PAGE_CUSTOMERS_MAX);
        let filter = CustomerFilter::default();
        let (_, took) = timed(customers::list(projections.roster(), &filter, RowScope::All, page)).await?;
        figures.note(&format!("list: no filter, right behind {CHANGED} changes"), Some(LIST), took)?;
    }
    Ok(())
}
