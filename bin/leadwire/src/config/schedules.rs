//! When jobs run: `[schedules]`, a cron expression for each, on the wall clock of `limits.zone`.

use application::schedules::Grid;

use super::limits::zone;
use super::reader::Reader;

/// When jobs run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// The nightly check of what was decided, requested and queued.
    pub self_check: Grid,
    /// The runs of the transfer rules.
    pub lead_transfer: Grid,
    /// When transfer runs are carried on that nobody ended.
    pub transfer_runs: Grid,
    /// The run of the recycle rules.
    pub recycle: Grid,
    /// When recycle runs are carried on that nobody ended.
    pub recycle_runs: Grid,
    /// The reminders of follow-ups.
    pub follow_up_due: Grid,
}

/// Reads the section.
pub(super) fn schedules(reader: &mut Reader) -> Option<ScheduleSettings> {
    let zone = zone(reader);
    let mut grid = |path| {
        let zone = zone.unwrap_or_default();
        reader.checked(path, |text: String| Grid::parse(&text, zone).map_err(|error| error.to_string()))
    };
    let self_check = grid("schedules.self_check");
    let lead_transfer = grid("schedules.lead_transfer");
    let transfer_runs = grid("schedules.transfer_runs");
    let recycle = grid("schedules.recycle");
    let recycle_runs = grid("schedules.recycle_runs");
    let follow_up_due = grid("schedules.follow_up_due");
    zone?;
    Some(ScheduleSettings {
        self_check: self_check?,
        lead_transfer: lead_transfer?,
        transfer_runs: transfer_runs?,
        recycle: recycle?,
        recycle_runs: recycle_runs?,
        follow_up_due: follow_up_due?,
    })
}
