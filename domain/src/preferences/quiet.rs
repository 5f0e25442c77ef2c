//! Quiet hours 免打扰: weekly windows on the wall clock of a zone.
//!
//! An instant is quiet when the wall clock then shows a time inside a window: start included, end excluded. The wall
//! clock is total, so an hour that a change of summer time skips or repeats needs no rule of its own.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::code_table;

/// Minutes of a day without a change of summer time.
const DAY_MINUTES: u16 = 24 * 60;

/// Minutes of a week.
const WEEK_MINUTES: usize = 7 * DAY_MINUTES as usize;

/// Longest stretch that is looked for. A document's quiet hours end once a week; a stretch still going on after two
/// (a change of summer time skipped the end) is cut here.
const STRETCH_DAYS_MAX: i64 = 14;

code_table! {
    /// A day of the week.
    Day {
        /// 周一
        Monday = "mon",
        /// 周二
        Tuesday = "tue",
        /// 周三
        Wednesday = "wed",
        /// 周四
        Thursday = "thu",
        /// 周五
        Friday = "fri",
        /// 周六
        Saturday = "sat",
        /// 周日
        Sunday = "sun",
    }
}

impl Day {
    fn of(number_from_monday: u32) -> Self {
        Self::ALL[number_from_monday as usize % Self::ALL.len()]
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// A time on the wall clock, to the minute: `22:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

/// The text is no time from 00:00 to 23:59.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("时间须为00:00到23:59")]
pub struct InvalidTimeOfDay;

impl TimeOfDay {
    /// `hour:minute`, when there is such a time.
    pub fn new(hour: u16, minute: u16) -> Option<Self> {
        (hour < 24 && minute < 60).then_some(Self(hour * 60 + minute))
    }

    pub(super) const fn of_hour(hour: u16) -> Self {
        Self::of_minutes(hour * 60)
    }

    pub(crate) const fn of_minutes(minutes: u16) -> Self {
        Self(minutes % (24 * 60))
    }

    /// Minutes since midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = InvalidTimeOfDay;
    fn from_str(text: &str) -> Result<Self, InvalidTimeOfDay> {
        let [a, b, b':', c, d] = *text.as_bytes() else { return Err(InvalidTimeOfDay) };
        if ![a, b, c, d].iter().all(u8::is_ascii_digit) {
            return Err(InvalidTimeOfDay);
        }
        let number = |tens: u8, ones: u8| u16::from(tens - b'0') * 10 + u16::from(ones - b'0');
        Self::new(number(a, b), number(c, d)).ok_or(InvalidTimeOfDay)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// An IANA time zone, e.g. `Asia/Shanghai`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub Tz);

/// The text names no time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("时区须为IANA名称，例如Asia/Shanghai")]
pub struct UnknownZone;

impl Default for Zone {
    /// Where both agencies are.
    fn default() -> Self {
        Self(Tz::Asia__Shanghai)
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        text.parse().map(Self).map_err(|_| UnknownZone)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// Writes a value as its text, and reads it back with the rules of the text.
macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )+};
}
as_text!(TimeOfDay, Zone);

/// A stretch of some days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The days it begins on.
    pub days: BTreeSet<Day>,
    /// Its first minute.
    pub from: TimeOfDay,
    /// The minute it is over. Not later than `from`: on the next day; the same as `from`: after a whole day.
    pub to: TimeOfDay,
}

impl Window {
    fn is_overnight(&self) -> bool {
        self.to <= self.from
    }

    /// Whether it holds this minute of this day.
    fn holds(&self, today: Day, minute: u16) -> bool {
        let yesterday = Day::of(today as u32 + 6);
        let (from, to) = (self.from.minutes(), self.to.minutes());
        if self.is_overnight() {
            (self.days.contains(&today) && from <= minute) || (self.days.contains(&yesterday) && minute < to)
        } else {
            self.days.contains(&today) && (from..to).contains(&minute)
        }
    }
}

/// When a person is not to be disturbed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// Whose wall clock.
    pub zone: Zone,
    /// When; they may touch and overlap.
    pub windows: Vec<Window>,
}

impl QuietHours {
    /// Whether this instant is quiet.
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        let clock = at.with_timezone(&self.zone.0);
        let minute = clock.hour() * 60 + clock.minute();
        let today = Day::of(clock.weekday().num_days_from_monday());
        // A minute of a day fits: there are 1440.
        u16::try_from(minute).is_ok_and(|minute| self.windows.iter().any(|w| w.holds(today, minute)))
    }

    /// When the quiet stretch that `now` lies in is over, windows that touch taken as one; `None` when it is not
    /// quiet now.
    pub fn until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !self.holds(now) {
            return None;
        }
        let horizon = now + TimeDelta::days(STRETCH_DAYS_MAX);
        let mut at = now;
        while at < horizon && self.holds(at) {
            at = self.next_edge(at);
        }
        Some(at)
    }

    /// Whether every minute of a week is quiet.
    pub(super) fn never_ends(&self) -> bool {
        let mut quiet = vec![false; WEEK_MINUTES];
        for window in &self.windows {
            let (from, to) = (usize::from(window.from.minutes()), usize::from(window.to.minutes()));
            let length = if window.is_overnight() { to + usize::from(DAY_MINUTES) - from } else { to - from };
            for day in &window.days {
                let start = day.index() * usize::from(DAY_MINUTES) + from;
                for minute in start..start + length {
                    quiet[minute % WEEK_MINUTES] = true;
                }
            }
        }
        quiet.into_iter().all(|quiet| quiet)
    }

    /// The next instant after `at` when the answer of [`holds`](Self::holds) can change: the wall clock reaches
    /// midnight or an edge of a window, or jumps.
    fn next_edge(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let offset = self.offset(at);
        let clock = at.naive_utc() + offset;
        let edges = self.windows.iter().flat_map(|w| [w.from.minutes(), w.to.minutes()]);
        let midnight = clock.date().and_time(chrono::NaiveTime::MIN);
        let next = edges
            .chain([DAY_MINUTES])
            .map(|minute| midnight + TimeDelta::minutes(minute.into()))
            .filter(|edge| *edge > clock)
            .min()
            .unwrap_or(midnight + Days::new(1));
        let edge = (next - offset).and_utc();
        if self.offset(edge) == offset { edge } else { self.jump(at, edge) }
    }

    fn offset(&self, at: DateTime<Utc>) -> TimeDelta {
        let offset = self.zone.0.offset_from_utc_datetime(&at.naive_utc());
        TimeDelta::seconds(offset.fix().local_minus_utc().into())
    }

    /// The second at which the offset of `before` ends, somewhere up to `after`.
    fn jump(&self, before: DateTime<Utc>, after: DateTime<Utc>) -> DateTime<Utc> {
        let old = self.offset(before);
        // Jumps happen on whole seconds, so that halves of whole seconds meet them.
        let (mut low, mut high) = (before.timestamp(), after.timestamp());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let is_old = DateTime::from_timestamp(middle, 0).is_some_and(|at| self.offset(at) == old);
            if is_old { low = middle } else { high = middle }
        }
        DateTime::from_timestamp(high, 0).unwrap_or(after)
    }
}

impl Zone {
    /// When the wall clock shows `clock`: the first time when it does so twice, and where it jumps over it, the
    /// first minute after.
    pub(crate) fn instant(self, clock: NaiveDateTime) -> Option<DateTime<Utc>> {
        (0..=i64::from(DAY_MINUTES))
            .find_map(|minutes| self.0.from_local_datetime(&(clock + TimeDelta::minutes(minutes))).earliest())
            .map(|at| at.with_timezone(&Utc))
    }
}
