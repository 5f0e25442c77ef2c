//! How far a long run is: a bar for a person, plain lines for a file.

use indicatif::{ProgressBar, ProgressStyle};

use super::super::say;

/// Leads of a run whose progress is worth telling; fewer are done before anybody looks.
const LONG_RUN_LEADS: usize = 200;

/// Where nobody watches, a line is printed whenever so many more of a hundred leads are done.
const PLAIN_STEP_PERCENT: usize = 10;

/// The progress of one run.
pub(super) enum Progress {
    /// Nobody need know.
    Quiet,
    /// A person watches.
    Bar(ProgressBar),
    /// Nobody does.
    Lines {
        /// Behind how many of a hundred the next line comes.
        next_percent: usize,
    },
}

impl Progress {
    /// Of a run that planned so many moves.
    pub(super) fn of(planned: usize) -> Self {
        if planned < LONG_RUN_LEADS {
            return Self::Quiet;
        }
        if !say::is_watched() {
            return Self::Lines { next_percent: PLAIN_STEP_PERCENT };
        }
        let style = ProgressStyle::with_template("[{bar:32}] {pos}/{len} leads, {eta} left");
        let bar = ProgressBar::new(u64::try_from(planned).unwrap_or_default());
        Self::Bar(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// So many of so many leads are done.
    pub(super) fn update(&mut self, done: usize, planned: usize) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.set_position(u64::try_from(done).unwrap_or_default()),
            Self::Lines { next_percent } => {
                let percent = done * 100 / planned.max(1);
                if percent >= *next_percent {
                    say::remark(format_args!("{done} of {planned} leads"));
                    *next_percent = percent - percent % PLAIN_STEP_PERCENT + PLAIN_STEP_PERCENT;
                }
            }
        }
    }

    /// It is over.
    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
