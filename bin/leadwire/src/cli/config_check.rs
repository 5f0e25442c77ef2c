//! `config check`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::arguments::ConfigCheck;
use super::{EXIT_USAGE, say};
use crate::config::{ConfigError, Problem, Settings, Sources, doubts, effective};

/// Prints every setting, then what is doubtful and every mistake.
pub(crate) fn check(config: Option<PathBuf>, arguments: &ConfigCheck) -> Result<ExitCode> {
    let sources = Sources::of_process(config);
    let (problems, doubts) = match Settings::load(&sources) {
        Ok(settings) => (vec![], doubts(&sources, &settings)),
        Err(ConfigError(problems)) => (problems, vec![]),
    };
    let settings = effective(&sources);
    if arguments.output.json {
        let settings: Map<String, Value> =
            settings.into_iter().map(|(path, value)| (path.into_owned(), Value::from(value))).collect();
        let (problems, warnings) = (listed(&problems), listed(&doubts));
        let ok = problems.is_empty();
        say::json(&json!({ "ok": ok, "settings": settings, "problems": problems, "warnings": warnings }))?;
    } else {
        for (path, value) in settings {
            say::line(format_args!("{path} = {value}"))?;
        }
        for doubt in &doubts {
            say::line(format_args!("warning: {}: {}", doubt.setting, doubt.rule))?;
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

fn listed(problems: &[Problem]) -> Vec<Value> {
    problems.iter().map(|problem| json!({ "setting": problem.setting, "rule": problem.rule })).collect()
}
