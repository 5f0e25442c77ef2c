//! `cargo xtask bench`: the measurements, on both databases, with commits that reach the disk.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{
    cli::BenchArguments,
    postgres::{self, Cluster, Durability},
    processes::{self, Processes},
    say,
};

/// A benchmark: its package and the name of the bench target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bench {
    package: &'static str,
    name: &'static str,
}

/// Every benchmark of the workspace, in the order they run.
const BENCHES: [Bench; 7] = [
    Bench { package: "infrastructure", name: "append" },
    Bench { package: "infrastructure", name: "batch_assign" },
    Bench { package: "infrastructure", name: "deliver" },
    Bench { package: "projections", name: "lists" },
    Bench { package: "tests", name: "assign_while_provider_hangs" },
    Bench { package: "tests", name: "lead_transfer" },
    Bench { package: "tests", name: "member_import" },
];

/// Runs the chosen benchmarks, all on the same fresh cluster, and stops at the first that fails.
pub(crate) async fn bench(processes: &mut Processes, arguments: &BenchArguments) -> Result<ExitCode> {
    let benches = selected(arguments.only.as_deref())?;
    let binaries = postgres::find_or_install(processes).await?;
    let cluster = Cluster::start(&binaries, Durability::On)?;
    for bench in benches {
        say::heading(&format!("bench {} of {}", bench.name, bench.package));
        let mut command = processes::cargo(["bench", "--package", bench.package, "--bench", bench.name]);
        command.env(postgres::URL_VARIABLE, cluster.url());
        if arguments.quick {
            command.args(["--", "--quick"]);
        }
        let status = processes.run(command).await?;
        if !status.success() || processes.stopped() {
            bail!("bench {} failed; run it again with `cargo xtask bench --only {}`", bench.name, bench.name);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn selected(only: Option<&str>) -> Result<Vec<Bench>> {
    let chosen: Vec<Bench> =
        BENCHES.into_iter().filter(|bench| only.is_none_or(|name| name == bench.name)).collect();
    if chosen.is_empty() {
        bail!("no such bench; there are: {}", BENCHES.map(|bench| bench.name).join(", "));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bench_can_be_chosen_by_name_and_a_wrong_name_lists_the_right_ones() {
        assert_eq!(selected(None).unwrap(), BENCHES);
        assert_eq!(selected(Some("append")).unwrap(), [BENCHES[0]]);
        let error = selected(Some("apend")).unwrap_err().to_string();
        assert_eq!(
            error,
            "no such bench; there are: append, batch_assign, deliver, lists, assign_while_provider_hangs, \
             lead_transfer, member_import"
        );
    }
}
