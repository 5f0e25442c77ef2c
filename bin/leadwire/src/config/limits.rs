//! What people are held to: `[limits]`. Zero means "none" where a limit may be absent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use application::customers::Limits;
use chrono::TimeDelta;
use chrono_tz::Tz;
use domain::staff::{Role, normalise_username};
use domain::transfer_rule::run::RUN_LEADS_MAX;
use serde::Deserialize;

use super::reader::Reader;
use super::service::within;

/// Bounds of a holding cap.
const HOLDING_CAP: RangeInclusive<i64> = 1..=1_000_000;
/// Bounds of the claims of a day.
const CLAIMS_PER_DAY: RangeInclusive<i64> = 0..=1_000_000;
/// Bounds of the time between two claims: up to a day.
const CLAIM_GAP_SECONDS: RangeInclusive<i64> = 0..=86_400;
/// Bounds of a former owner's cool-off: up to a year.
const COOL_OFF_HOURS: RangeInclusive<i64> = 0..=8_760;
/// Moves that a request waits for unless the installation says otherwise: some seconds on a slow disk.
const AWAITED_MOVES: usize = 1000;
/// Bounds of the moves that a request waits for.
const AWAITED_MOVES_BOUNDS: RangeInclusive<usize> = 0..=RUN_LEADS_MAX;

/// The limits, and who gets the leads that come by themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitSettings {
    /// What people are held to.
    pub limits: Limits,
    /// Login name of the owner of website leads; `None`: they go to the public pool.
    pub website_owner: Option<String>,
    /// Moves of a run by hand that its request waits for; more of them go on after the answer, which says so.
    pub awaited_moves: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { limits: Limits::default(), website_owner: None, awaited_moves: AWAITED_MOVES }
    }
}

/// Reads the section.
pub(super) fn limits(reader: &mut Reader) -> Option<LimitSettings> {
    let holding_cap = reader.checked("limits.holding_cap", |n| within(n, &HOLDING_CAP, "leads"));
    let by_role = reader.optional::<BTreeMap<String, Cap>>("limits.holding_cap_by_role").unwrap_or_default();
    let held = reader.checked("limits.assignments_held_to_cap", |text: String| yes_or_no(&text));
    let ignores = reader.checked("limits.cap_ignores_signed", |text: String| yes_or_no(&text));
    let per_day = reader.checked("limits.claims_per_day", |n| within(n, &CLAIMS_PER_DAY, "leads"));
    let gap = reader.checked("limits.claim_gap_seconds", |n| within(n, &CLAIM_GAP_SECONDS, "seconds"));
    let cool_off = reader.checked("limits.cool_off_hours", |n| within(n, &COOL_OFF_HOURS, "hours"));
    let awaited = reader.checked("limits.awaited_moves", |n| within(n, &AWAITED_MOVES_BOUNDS, "leads"));
    let zone = zone(reader);
    let website_owner = reader.text("limits.website_owner").map(|name| normalise_username(&name));
    if matches!(website_owner, Some(Err(_))) {
        reader.problem("limits.website_owner", "is not a user name: it holds a blank or is too long");
    }
    let holding_cap_by_role = match caps(by_role) {
        Ok(caps) => Some(caps),
        Err(rule) => {
            reader.problem("limits.holding_cap_by_role", rule);
            None
        }
    };
    let limits = Limits {
        holding_cap: holding_cap?,
        holding_cap_by_role: holding_cap_by_role?,
        cap_ignores_signed: ignores?,
        assignments_held_to_cap: held?,
        claims_per_day: per_day.map(|n| (n > 0).then_some(n))?,
        claim_gap: gap.map(|n| (n > 0).then(|| TimeDelta::seconds(n)))?,
        cool_off: cool_off.map(|n| (n > 0).then(|| TimeDelta::hours(n)))?,
        zone: zone?,
    };
    Some(LimitSettings { limits, website_owner: website_owner.and_then(Result::ok), awaited_moves: awaited? })
}

/// Reads where the people of the installation live: their days begin at its midnight.
pub(super) fn zone(reader: &mut Reader) -> Option<Tz> {
    reader.checked("limits.zone", |text: String| {
        text.parse().map_err(|_| "is not a time zone such as Asia/Shanghai".to_owned())
    })
}

/// A cap as the file has it, or as a variable has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Cap {
    Number(i64),
    Text(String),
}

fn caps(by_role: BTreeMap<String, Cap>) -> Result<BTreeMap<Role, i64>, String> {
    let cap = |(role, cap): (String, Cap)| {
        let role = Role::from_alias(&role).ok_or_else(|| format!("`{role}` is not a role"))?;
        let cap = match cap {
            Cap::Number(cap) => cap,
            Cap::Text(text) => text.parse().map_err(|_| format!("`{text}` is not a number of leads"))?,
        };
        Ok((role, within(cap, &HOLDING_CAP, "leads")?))
    };
    by_role.into_iter().map(cap).collect()
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("is yes or no".to_owned()),
    }
}
