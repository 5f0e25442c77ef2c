use std::time::Duration;

use application::intake::Mode;

use super::*;

fn sources(pairs: &[(&str, &str)]) -> Vec<infrastructure::intake::SourceSettings> {
    Settings::load(&with_secret(pairs)).unwrap().intake
}

#[test]
fn a_source_needs_its_address_alone() {
    let found = sources(&[("LEADWIRE_INTAKE__CRM__URL", "mysql://u:hunter2@db/crm")]);
    let [source] = found.as_slice() else { panic!("{} sources", found.len()) };
    assert_eq!(
        (source.name.as_str(), source.mapping.table.as_str(), source.mode),
        ("crm", "members", Mode::Triggers)
    );
    assert_eq!((source.rules.batch, source.rules.attempts_max), (500, 10));
    assert_eq!(source.interval, Duration::from_secs(2));
    assert_eq!(source.reconcile_every, Some(Duration::from_hours(24)));
    assert!(!format!("{source:?}").contains("hunter2"));
    assert!(sources(&[]).is_empty());
}

#[test]
fn system_s_limits_can_be_set_and_a_file_may_hold_all_but_the_password() {
    let mapping = file("table = 'clients'\nkey = 'uid'\n[columns]\nname = 'nickname'");
    let path = mapping.path().display();
    let text = format!(
        "[intake.crm]\nurl = 'postgres://reader@db/crm'\nmapping = '{path}'\nbatch = 10\nattempts = 3\nmode = 'poll'\n\
         reconcile_hours = 0\n[intake.old]\nurl_file = '{path}'"
    );
    let settings = file(&text);
    let mut read = with_secret(&[("LEADWIRE_INTAKE__CRM__BATCH", "20")]);
    read.file = Some(settings.path().to_owned());
    let found = problems(&read);
    assert_eq!(found, ["intake.old.url: a source's address begins with mysql://, postgres:// or sqlite:"]);
    read.environment.insert("LEADWIRE_INTAKE__OLD__URL_FILE".to_owned(), String::new());
    read.environment.insert("LEADWIRE_INTAKE__OLD__URL".to_owned(), "sqlite:old.db".to_owned());
    let found = Settings::load(&read).unwrap().intake;
    assert_eq!(found.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["crm", "old"]);
    let crm = &found[0];
    assert_eq!((crm.rules.batch, crm.rules.attempts_max, crm.mode), (20, 3, Mode::Poll));
    assert_eq!((crm.mapping.table.as_str(), crm.reconcile_every), ("clients", None));
    let printed = effective(&read);
    let shown = |path: &str| printed.iter().find(|(known, _)| *known == path).map(|(_, text)| text.as_str());
    assert_eq!(shown("intake.crm.url"), Some("postgres://reader@db/crm"));
    assert_eq!(shown("intake.crm.batch"), Some("20"));
}

#[test]
fn mistakes_about_a_source_are_named_and_its_password_is_not() {
    const URL: (&str, &str) = ("LEADWIRE_INTAKE__CRM__URL", "mysql://u:hunter2@db/crm");
    for (name, value, expected) in [
        ("LEADWIRE_INTAKE__CRM__BATCH", "2001", "intake.crm.batch: is 1 to 2000 rows, not 2001"),
        ("LEADWIRE_INTAKE__CRM__ATTEMPTS", "11", "intake.crm.attempts: is 1 to 10 attempts, not 11"),
        ("LEADWIRE_INTAKE__CRM__MODE", "push", "intake.crm.mode: is triggers or poll, not push"),
        ("LEADWIRE_INTAKE__CRM__MAPPING", "no.toml", "intake.crm.mapping: no.toml cannot be read"),
        ("LEADWIRE_INTAKE__CRM__COLOUR", "red", "LEADWIRE_INTAKE__CRM__COLOUR: there is no such setting"),
        ("LEADWIRE_INTAKE__STAFF__URL", "sqlite:x", "intake.staff: members that came another way"),
        ("LEADWIRE_INTAKE__OTHER__TABLE", "t", "intake.other.url: is needed"),
        (
            "LEADWIRE_INTAKE__OTHER__URL",
            "oracle://u:hunter2@db",
            "intake.other.url: a source's address begins",
        ),
    ] {
        let sources = with_secret(&[URL, (name, value)]);
        let found = problems(&sources);
        assert!(found[0].starts_with(expected), "{name}={value}: {found:?}");
        assert!(!format!("{found:?} {:?}", effective(&sources)).contains("hunter2"), "{name}");
    }
    let settings = file("[intake.crm]\nurl = 'mysql://u:hunter2@db/crm'");
    let mut read = with_secret(&[]);
    read.file = Some(settings.path().to_owned());
    let found = problems(&read).join("\n");
    assert!(found.contains("LEADWIRE_INTAKE__CRM__URL") && !found.contains("hunter2"), "{found}");
}
