//! Which sources a command means.

use anyhow::{Result, anyhow, bail};
use application::intake::Mode;
use infrastructure::intake::{SourceSettings, engine_of};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::cli::arguments::{ModeArgument, Which};
use crate::config::{ToolSettings, judge_name, mapping, usual};

/// Exactly one.
pub(super) fn one(settings: &ToolSettings, which: &Which) -> Result<SourceSettings> {
    let mut all = some(settings, which)?;
    if all.len() > 1 {
        let names: Vec<&str> = all.iter().map(|source| source.name.as_str()).collect();
        bail!("several sources are configured; say which with --source: {}", names.join(", "));
    }
    all.pop().ok_or_else(none)
}

/// All that are meant; never none.
pub(super) fn some(settings: &ToolSettings, which: &Which) -> Result<Vec<SourceSettings>> {
    let mut found = match &which.source {
        None => settings.intake.clone(),
        Some(text) if text.contains(':') => vec![addressed(settings, which, text)?],
        Some(name) => vec![named(settings, name)?],
    };
    if found.is_empty() {
        return Err(none());
    }
    if which.table.is_some() || which.mapping.is_some() {
        if found.len() > 1 {
            bail!("--table and --mapping are about one source; say which with --source");
        }
        for source in &mut found {
            source.mapping =
                mapping(which.mapping.as_deref(), which.table.as_deref()).map_err(|rule| anyhow!(rule))?;
        }
    }
    for source in &mut found {
        match which.mode {
            Some(ModeArgument::Poll) => source.mode = Mode::Poll,
            Some(ModeArgument::Triggers) => source.mode = Mode::Triggers,
            None => {}
        }
    }
    Ok(found)
}

fn none() -> anyhow::Error {
    anyhow!(
        "no source is configured; set LEADWIRE_INTAKE__NAME__URL or [intake.NAME] in leadwire.toml, or give --source URL"
    )
}

fn named(settings: &ToolSettings, name: &str) -> Result<SourceSettings> {
    let found = settings.intake.iter().find(|source| source.name == name).cloned();
    found.ok_or_else(|| {
        let names: Vec<&str> = settings.intake.iter().map(|source| source.name.as_str()).collect();
        if names.is_empty() {
            none()
        } else {
            anyhow!("there is no source {name}; there are: {}", names.join(", "))
        }
    })
}

/// The configured source with this address, or one that nobody configured.
fn addressed(settings: &ToolSettings, which: &Which, url: &str) -> Result<SourceSettings> {
    engine_of(url)?;
    let configured = settings.intake.iter().find(|source| source.url.expose_secret() == url);
    if let (Some(source), None) = (configured, &which.name) {
        return Ok(source.clone());
    }
    let name = which.name.clone().map_or_else(|| name_of(url), Ok)?;
    judge_name(&name).map_err(|rule| anyhow!("--name: {rule}"))?;
    // Its rows are compared when somebody asks for it.
    Ok(SourceSettings { reconcile_every: None, ..usual(name, SecretString::from(url), &settings.schedule) })
}

/// The database's name as the name of a source. Nothing before it is looked at: a password may stand there.
fn name_of(url: &str) -> Result<String> {
    let path = match url.strip_prefix("sqlite:") {
        Some(path) => path.split(['?', '#']).next().unwrap_or_default().to_owned(),
        None => Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default(),
    };
    let file = path.rsplit('/').next().unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default().to_lowercase();
    let name: String =
        stem.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '_' }).collect();
    judge_name(&name).map_err(|_| {
        anyhow!("say what the source is called with --name: members are known by it for ever")
    })?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_called_like_its_database() {
        for (url, name) in [
            ("mysql://u:p@h:3306/crm?ssl-mode=DISABLED", "crm"),
            ("postgres://h/Marry-Home", "marry_home"),
            ("sqlite:/var/lib/members.db", "members"),
            ("sqlite:members.db?mode=ro", "members"),
        ] {
            assert_eq!(name_of(url).unwrap(), name, "{url}");
        }
        for url in ["mysql://u:hunter2@h", "sqlite:", "postgres://h/会员", "mysql://h/staff"] {
            let said = name_of(url).unwrap_err().to_string();
            assert!(said.contains("--name") && !said.contains("hunter2"), "{said}");
        }
    }
}
