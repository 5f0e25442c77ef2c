//! Three real processes, one SQLite process, and a kill in the middle of a run of falls: each lead falls at most once, the
//! run completes, every former owner is told once. The same with 10 000 leads is `cargo xtask crash --recycle-run 10000`.

use rstest::rstest;
use tests::crash::program;
use tests::crash::recycle::{self, Options};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// Few enough for the programs of a test build, enough for a run to have a middle.
const LEADS: usize = 3000;

/// Fixed, so that the kill falls after the same number of leads on every machine.
const SEED: u64 = 20_260_306;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_falls_survives_the_death_of_whoever_carries_it_out(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let program = program::current().await.expect("the program is built");
    let options = Options { backend, leads: LEADS, kills: 1, seed: SEED, program };
    let report = recycle::run(&options, |line| println!("{line}")).await;
    let report = report.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(report.kills().len(), 1);
    assert!(report.is_good(), "{report}");
}
