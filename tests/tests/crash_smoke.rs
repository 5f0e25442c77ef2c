//! A short crash run on each database, so that neither the runner nor what it guards is broken for long. The long
//! one is `cargo xtask crash`.

use anyhow::Result;
use rstest::rstest;
use tests::crash::{self, Options};
use tests::scratch::Backend;

/// Fixed, so that the plan is the same on every machine.
const SEED: u64 = 20_260_301;

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn two_kills_lose_nothing_and_double_nothing(#[case] backend: Backend) -> Result<()> {
    let program = crash::program::current().await?;
    let options = Options { backend, leads: 60, kills: 2, seed: SEED, escalations: false, program };
    let report = crash::run(&options, |line| println!("{line}")).await?;
    assert_eq!(report.kills().len(), 2);
    assert!(report.is_good(), "{report}");
    Ok(())
}
