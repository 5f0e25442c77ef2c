//! `leadwire`: the service and its command line.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    leadwire::cli::run().await
}
