//! `config check`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::arguments::ConfigCheck;
use super::{EXIT_USAGE, say};
use crate::config::{ConfigError, Settings, Sources, effective};

/// Prints every setting, then every mistake.
pub(crate) fn check(config: Option<PathBuf>, arguments: &ConfigCheck) -> Result<ExitCode> {
    let sources = Sources::of_process(config);
    let problems = match Settings::load(&sources) {
        Ok(_) => vec![],
        Err(ConfigError(problems)) => problems,
    };
    let settings = effective(&sources);
    if arguments.output.json {
        let settings: Map<String, Value> =
            settings.into_iter().map(|(path, value)| (path.to_owned(), Value::from(value))).collect();
        let problems: Vec<Value> = problems
            .iter()
            .map(|problem| json!({ "setting": problem.setting, "rule": problem.rule }))
            .collect();
        say::json(&json!({ "ok": problems.is_empty(), "settings": settings, "problems": problems }))?;
    } else {
        for (path, value) in settings {
            say::line(format_args!("{path} = {value}"))?;
        }
        for problem in &problems {
            say::line(format_args!("wrong: {}: {}", problem.setting, problem.rule))?;
        }
        say::line(match problems.len() {
            0 => "The settings are good.".to_owned(),
            1 => "1 setting is wrong.".to_owned(),
            n => format!("{n} settings are wrong."),
        })?;
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_USAGE) })
}
