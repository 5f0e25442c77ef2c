//! What `cargo xtask test` checks: the steps, their order and their command lines. Pure; `tasks.rs` runs them.

use clap::ValueEnum;

/// One step of the test command, in the order they run: the quick ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Formatting
    Fmt,
    /// Lints, warnings being errors
    Clippy,
    /// The documentation builds, warnings being errors
    Docs,
    /// Every test, on SQLite and on PostgreSQL, and with members in MariaDB
    Tests,
    /// The examples in the documentation
    Doctests,
}

/// Which program runs the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `cargo nextest`: one process per test, with a time limit on each.
    Nextest,
    /// `cargo test`, for machines without nextest.
    CargoTest,
}

/// The steps to run: all, or the chosen one.
pub(crate) fn selected(only: Option<Step>) -> Vec<Step> {
    only.map_or_else(|| Step::value_variants().to_vec(), |step| vec![step])
}

impl Step {
    /// The name on the command line and in the summary.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Step::Fmt => "fmt",
            Step::Clippy => "clippy",
            Step::Docs => "docs",
            Step::Tests => "tests",
            Step::Doctests => "doctests",
        }
    }

    /// The arguments for cargo.
    pub(crate) fn arguments(self, runner: Runner) -> &'static [&'static str] {
        match (self, runner) {
            (Step::Fmt, _) => &["fmt", "--all", "--check"],
            (Step::Clippy, _) => &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            (Step::Docs, _) => &["doc", "--workspace", "--no-deps"],
            (Step::Tests, Runner::Nextest) => &["nextest", "run", "--workspace", "--profile", "ci"],
            (Step::Tests, Runner::CargoTest) => {
                &["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]
            }
            (Step::Doctests, _) => &["test", "--workspace", "--doc"],
        }
    }

    /// A variable the step needs, besides the database.
    pub(crate) fn variable(self) -> Option<(&'static str, &'static str)> {
        (self == Step::Docs).then_some(("RUSTDOCFLAGS", "-D warnings"))
    }

    /// Whether the step needs database servers.
    pub(crate) fn needs_servers(self) -> bool {
        self == Step::Tests
    }

    /// The command that runs this step alone.
    pub(crate) fn again(self) -> String {
        format!("cargo xtask test --only {}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_choice_every_step_runs_quick_ones_first() {
        use Step::{Clippy, Docs, Doctests, Fmt, Tests};
        assert_eq!(selected(None), [Fmt, Clippy, Docs, Tests, Doctests]);
        assert_eq!(selected(Some(Docs)), [Docs]);
    }

    #[test]
    fn the_name_of_a_step_is_what_only_accepts() {
        for step in selected(None) {
            assert_eq!(Step::from_str(step.name(), false), Ok(step));
        }
    }

    #[test]
    fn warnings_are_errors_in_clippy_and_in_the_docs() {
        assert!(Step::Clippy.arguments(Runner::Nextest).ends_with(&["-D", "warnings"]));
        assert_eq!(Step::Docs.variable(), Some(("RUSTDOCFLAGS", "-D warnings")));
    }

    #[test]
    fn both_runners_cover_the_whole_workspace_and_do_not_stop_at_the_first_failure() {
        let nextest = Step::Tests.arguments(Runner::Nextest);
        let cargo_test = Step::Tests.arguments(Runner::CargoTest);
        assert!(nextest.contains(&"--workspace") && nextest.ends_with(&["--profile", "ci"]));
        assert!(cargo_test.contains(&"--workspace") && cargo_test.contains(&"--no-fail-fast"));
    }
}
