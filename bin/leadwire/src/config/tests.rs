mod channels;
mod intake;
mod webhook;

use std::io::Write as _;

use secrecy::ExposeSecret as _;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn environment(pairs: &[(&str, &str)]) -> Sources {
    let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { file: None, environment }
}

fn with_secret(pairs: &[(&str, &str)]) -> Sources {
    let mut sources = environment(pairs);
    sources.environment.insert("LEADWIRE_AUTH__JWT_SECRET".to_owned(), SECRET.to_owned());
    sources
}

fn problems(sources: &Sources) -> Vec<String> {
    let ConfigError(problems) = Settings::load(sources).expect_err("the settings are wrong");
    problems.into_iter().map(|problem| format!("{}: {}", problem.setting, problem.rule)).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn defaults_are_enough_but_for_the_secret() {
    let settings = Settings::load(&with_secret(&[])).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(settings.delivery.schedule, application::delivery::RetrySchedule::default());
    assert!(settings.wechat_subscribe.is_none());
    let found = problems(&environment(&[]));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("auth.jwt_secret: is needed, with at least 32 bytes"), "{found:?}");
}

/// A setting, a wrong value, and how its mistake begins to be told.
fn each_is_named(cases: &[(&str, &str, &str)]) {
    for &(name, value, expected) in cases {
        let found = problems(&with_secret(&[(name, value)]));
        assert!(found[0].starts_with(expected), "{name}={value}: {found:?}");
    }
}

#[test]
fn mistakes_about_the_doors_are_named_with_their_rule() {
    each_is_named(&[
        ("LEADWIRE_SERVER__LISTEN", "here", "server.listen: is not an address"),
        ("LEADWIRE_SERVER__BODY_BYTES_MAX", "1", "server.body_bytes_max: is 1024 to 67108864 bytes, not 1"),
        ("LEADWIRE_SERVER__BODY_BYTES_MAX", "big", "LEADWIRE_SERVER__BODY_BYTES_MAX: is not a whole number"),
        (
            "LEADWIRE_SERVER__ALLOWED_ORIGINS",
            "https://a/b",
            "server.allowed_origins: `https://a/b` is not an origin",
        ),
        ("LEADWIRE_DATABASE__URL", "mysql://x", "database.url: begins with sqlite: or postgres://"),
        ("LEADWIRE_SERVER__ALLOWED_ORIGINS", "*", "server.allowed_origins: `*` is not an origin"),
        (
            "LEADWIRE_PROTECTION__TRUSTED_PROXIES",
            "10.0.0.0/8, proxy",
            "protection.trusted_proxies: `proxy` is no address or network",
        ),
        (
            "LEADWIRE_PROTECTION__LOGIN_PER_MINUTE",
            "0",
            "protection.login_per_minute: is 1 to 100000 requests a minute, not 0",
        ),
        ("LEADWIRE_AUTH__TOKEN_SECONDS", "5", "auth.token_seconds: is 60 to 2592000 seconds, not 5"),
    ]);
}

#[test]
fn mistakes_about_deliveries_are_named_with_their_rule() {
    each_is_named(&[
        (
            "LEADWIRE_DELIVERY__RETRY_SECONDS",
            "1,x",
            "LEADWIRE_DELIVERY__RETRY_SECONDS: is not a whole number",
        ),
        ("LEADWIRE_DELIVERY__RETRY_SECONDS", "0", "delivery.retry_seconds: is 1 to 86400 seconds, not 0"),
        ("LEADWIRE_DELIVERY__JITTER_PERCENT", "100", "delivery: the jitter"),
        (
            "LEADWIRE_DELIVERY__UNKNOWN",
            "wechat_subscribe=twice",
            "delivery.unknown: twice is not a policy: at_most_once or at_least_once",
        ),
        (
            "LEADWIRE_DELIVERY__UNKNOWN",
            "sms=at_most_once",
            "delivery.unknown: sms is not an external channel",
        ),
    ]);
}

#[test]
fn mistakes_about_limits_and_jobs_are_named_with_their_rule() {
    each_is_named(&[
        ("LEADWIRE_LIMITS__HOLDING_CAP", "0", "limits.holding_cap: is 1 to 1000000 leads, not 0"),
        (
            "LEADWIRE_LIMITS__HOLDING_CAP_BY_ROLE",
            "boss=3",
            "limits.holding_cap_by_role: `boss` is not a role",
        ),
        (
            "LEADWIRE_LIMITS__HOLDING_CAP_BY_ROLE",
            "dispatch=many",
            "limits.holding_cap_by_role: `many` is not a number of leads",
        ),
        ("LEADWIRE_LIMITS__CAP_IGNORES_SIGNED", "true", "limits.cap_ignores_signed: is yes or no"),
        ("LEADWIRE_LIMITS__AWAITED_MOVES", "10001", "limits.awaited_moves: is 0 to 10000 leads, not 10001"),
        ("LEADWIRE_LIMITS__ASSIGNMENTS_HELD_TO_CAP", "maybe", "limits.assignments_held_to_cap: is yes or no"),
        ("LEADWIRE_LIMITS__COOL_OFF_HOURS", "9000", "limits.cool_off_hours: is 0 to 8760 hours, not 9000"),
        ("LEADWIRE_LIMITS__ZONE", "Mars", "limits.zone: is not a time zone such as Asia/Shanghai"),
        ("LEADWIRE_LIMITS__WEBSITE_OWNER", "li lei", "limits.website_owner: is not a user name"),
        (
            "LEADWIRE_SCHEDULES__SELF_CHECK",
            "every night",
            "schedules.self_check: is not a cron expression of five fields (minute, hour, day, month, day of the week), \
             such as 0 * * * *",
        ),
        (
            "LEADWIRE_SCHEDULES__LEAD_TRANSFER",
            "hourly",
            "schedules.lead_transfer: is not a cron expression of five fields (minute, hour, day, month, day of the \
             week), such as 0 * * * *",
        ),
    ]);
}

#[test]
fn settings_that_there_are_not_are_named_with_what_is_meant() {
    each_is_named(&[
        ("LEADWIRE_LOG__FORMAT", "xml", "log.format: is text or json"),
        (
            "LEADWIRE_SERVER__LISTN",
            "x",
            "LEADWIRE_SERVER__LISTN: there is no such setting; is server.listen meant?",
        ),
        ("LEADWIRE_DB__URL", "x", "LEADWIRE_DB__URL: there is no such setting; is database.url meant?"),
        ("LEADWIRE_FOO__BARS", "x", "LEADWIRE_FOO__BARS: there is no such setting; `leadwire config check`"),
        ("MINIPROGRAM_APPID", "wx1", "wechat_subscribe.secret: is needed: appid, secret and template"),
    ]);
}

#[test]
fn all_mistakes_are_named_at_once() {
    let found = problems(&environment(&[("LEADWIRE_LOG__FORMAT", "xml"), ("LEADWIRE_SERVER__LISTEN", "x")]));
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn the_file_overrides_defaults_and_the_environment_overrides_the_file() {
    let file = file("[server]\nlisten = \"127.0.0.1:1\"\nbody_bytes_max = 2048\n[log]\nformat = \"json\"");
    let mut sources = with_secret(&[("LEADWIRE_SERVER__LISTEN", "127.0.0.1:2")]);
    sources.file = Some(file.path().to_owned());
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.server.listen.port(), 2);
    assert_eq!(settings.server.body_bytes_max, 2048);
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn a_file_with_a_secret_an_unknown_key_or_bad_toml_is_refused() {
    let cases = [
        ("[auth]\njwt_secret = \"s\"", "auth.jwt_secret: a secret must not stand in"),
        ("[server]\nport = 1", "server.port: there is no such setting"),
        ("[database]\nurl = \"postgres://u:p@h/d\"", "database.url: a password must not stand in"),
        ("[server]\nlisten = 1", "server.listen: invalid type"),
        ("[server", "/"),
    ];
    for (text, expected) in cases {
        let file = file(text);
        let mut sources = with_secret(&[]);
        sources.file = Some(file.path().to_owned());
        let found = problems(&sources);
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
    }
    let missing = Sources { file: Some("/nowhere/leadwire.toml".into()), ..with_secret(&[]) };
    assert_eq!(problems(&missing), ["/nowhere/leadwire.toml: there is no such file"]);
}

#[test]
fn secrets_come_from_a_variable_or_a_file_but_not_both() {
    let secret = file(&format!("{SECRET}\n"));
    let path = secret.path().to_str().unwrap();
    let from_file = environment(&[("LEADWIRE_AUTH__JWT_SECRET_FILE", path)]);
    let settings = Settings::load(&from_file).unwrap();
    assert_eq!(settings.auth.jwt_secret.expose_secret(), SECRET);
    let both = with_secret(&[("LEADWIRE_AUTH__JWT_SECRET_FILE", path)]);
    assert!(problems(&both)[0].contains("not both"));
}

#[test]
fn the_channel_is_complete_or_absent_and_knows_the_names_of_system_a() {
    let sources = with_secret(&[
        ("MINIPROGRAM_APPID", "wx-old"),
        ("LEADWIRE_WECHAT_SUBSCRIBE__APPID", "wx-new"),
        ("MINIPROGRAM_APPSECRET", "12345678"),
        ("LEADWIRE_WECHAT_SUBSCRIBE__TEMPLATE", "T"),
        ("LEADWIRE_WECHAT_SUBSCRIBE__FIELDS", "thing1=customer_name, time2=assign_time"),
    ]);
    let channel = Settings::load(&sources).unwrap().wechat_subscribe.unwrap();
    assert_eq!(channel.channel.app, "wx-new");
    assert_eq!(channel.secret.expose_secret(), "12345678");
    let fields = channel.channel.fields;
    let wrong = with_secret(&[
        ("MINIPROGRAM_APPID", "wx"),
        ("MINIPROGRAM_APPSECRET", "s"),
        ("LEADWIRE_WECHAT_SUBSCRIBE__TEMPLATE", "T"),
        ("LEADWIRE_WECHAT_SUBSCRIBE__FIELDS", "thing1=customer_name,time2=tea_time"),
    ]);
    assert!(problems(&wrong)[0].starts_with("wechat_subscribe: tea_time is not a value of a notice"));
    assert_eq!(
        fields,
        [("thing1", "customer_name"), ("time2", "assign_time")].map(|(a, b)| (a.into(), b.into()))
    );
}

#[test]
fn callbacks_are_taken_of_apps_that_are_configured() {
    const TOKEN: &str = "LEADWIRE_CALLBACKS__MINI_PROGRAM__TOKEN";
    const AES_KEY: &str = "LEADWIRE_CALLBACKS__MINI_PROGRAM__AES_KEY";
    let mini_program = |more: &[(&str, &str)]| {
        let mut pairs = vec![
            ("LEADWIRE_WECHAT_SUBSCRIBE__APPID", "wx1"),
            ("LEADWIRE_WECHAT_SUBSCRIBE__SECRET", "s"),
            ("LEADWIRE_WECHAT_SUBSCRIBE__TEMPLATE", "t"),
        ];
        pairs.extend(more);
        with_secret(&pairs)
    };
    let key = "k".repeat(43);
    assert_eq!(Settings::load(&mini_program(&[])).unwrap().callbacks.len(), 0);
    for (more, encrypted) in
        [(vec![(TOKEN, "token1")], false), (vec![(TOKEN, "token1"), (AES_KEY, &key)], true)]
    {
        let callbacks = Settings::load(&mini_program(&more)).unwrap().callbacks;
        assert_eq!((callbacks.len(), callbacks[0].app.as_str()), (1, "wx1"));
        assert_eq!(callbacks[0].keys.is_encrypted(), encrypted);
    }
    for (sources, expected) in [
        (mini_program(&[(TOKEN, "t")]), "callbacks.mini_program.token: has 3 to 32 letters and digits"),
        (mini_program(&[(TOKEN, "token-1")]), "callbacks.mini_program.token: has 3 to 32 letters and digits"),
        (mini_program(&[(AES_KEY, &key)]), "callbacks.mini_program.token: is needed"),
        (
            mini_program(&[(TOKEN, "token1"), (AES_KEY, "short")]),
            "callbacks.mini_program.aes_key: an EncodingAESKey",
        ),
        (with_secret(&[(TOKEN, "token1")]), "wechat_subscribe.appid: is needed where"),
        (with_secret(&[("LEADWIRE_CALLBACKS__WECOM__TOKEN", "token1")]), "wecom_app.corpid: is needed where"),
    ] {
        let found = problems(&sources);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn no_secret_is_ever_printed() {
    let sources = with_secret(&[
        ("LEADWIRE_DATABASE__URL", "postgres://user:hunter2@db/leadwire?password=hunter2"),
        ("MINIPROGRAM_APPSECRET", "hunter2"),
        ("MINIPROGRAM_APPID", "wx1"),
        ("LEADWIRE_WECHAT_SUBSCRIBE__TEMPLATE", "T"),
    ]);
    let printed = effective(&sources)
        .iter()
        .map(|(path, value)| format!("{path} = {value}"))
        .collect::<Vec<_>>()
        .join("\n");
    assert!(!printed.contains("hunter2") && !printed.contains(SECRET), "{printed}");
    assert!(printed.contains("auth.jwt_secret = (hidden)"), "{printed}");
    assert!(printed.contains("wechat_subscribe.appid = wx1"), "{printed}");
    let settings = format!("{:?}", Settings::load(&sources).unwrap());
    assert!(!settings.contains("hunter2") && !settings.contains(SECRET), "{settings}");
}

#[test]
fn an_address_with_a_password_is_refused_and_never_printed() {
    for setting in ["LEADWIRE_WECHAT_SUBSCRIBE__BASE_URL", "LEADWIRE_SERVER__PUBLIC_URL"] {
        let sources = with_secret(&[
            ("MINIPROGRAM_APPSECRET", "s"),
            ("MINIPROGRAM_APPID", "wx1"),
            ("LEADWIRE_WECHAT_SUBSCRIBE__TEMPLATE", "T"),
            (setting, "https://proxy:hunter2@wechat.internal"),
        ]);
        let told = format!("{:?} {:?}", problems(&sources), effective(&sources));
        assert!(told.contains("names a user or a password"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let bare = "http://127.0.0.1:3001";
    assert_eq!(print::without_password(bare), bare);
}

#[test]
fn a_command_on_the_database_needs_no_secret() {
    let settings = ToolSettings::load(&environment(&[("MINIPROGRAM_APPID", "wx1")])).unwrap();
    assert_eq!(settings.wechat_app.as_deref(), Some("wx1"));
}

#[test]
fn an_issuer_is_whole_or_not_there() {
    let whole = [
        ("LEADWIRE_AUTH__ISSUER__NAME", "https://login.example.com"),
        ("LEADWIRE_AUTH__ISSUER__AUDIENCE", "leadwire"),
        ("LEADWIRE_AUTH__ISSUER__JWKS_URL", "https://login.example.com/keys"),
    ];
    let issuer = Settings::load(&with_secret(&whole)).unwrap().auth.issuer.unwrap();
    assert_eq!((issuer.name.as_str(), issuer.audience.as_str()), ("https://login.example.com", "leadwire"));
    assert!(matches!(issuer.keys, IssuerKeys::Set(_)));
    assert!(Settings::load(&with_secret(&[])).unwrap().auth.issuer.is_none());

    let found = problems(&with_secret(&whole[2..]));
    assert!(found[0].starts_with("auth.issuer.name: is needed"), "{found:?}");
    assert!(found[1].starts_with("auth.issuer.audience: is needed"), "{found:?}");
    let found = problems(&with_secret(&whole[..2]));
    assert_eq!(found, ["auth.issuer: set either jwks_url or public_key_file"]);
    for url in ["http://login.example.com/keys", "file:///keys"] {
        let found = problems(&with_secret(&[whole[0], whole[1], ("LEADWIRE_AUTH__ISSUER__JWKS_URL", url)]));
        assert_eq!(found, ["auth.issuer.jwks_url: is not an https address"], "{url}");
    }
    let no_key = file("-----BEGIN NOTHING-----");
    let path = no_key.path().to_str().unwrap();
    let found =
        problems(&with_secret(&[whole[0], whole[1], ("LEADWIRE_AUTH__ISSUER__PUBLIC_KEY_FILE", path)]));
    assert_eq!(found, ["auth.issuer.public_key_file: holds no RSA or P-256 public key in PEM form"]);
}

#[test]
fn limits_are_system_as_unless_they_are_set() {
    use application::customers::Limits;
    use domain::staff::Role;

    let limits = Settings::load(&with_secret(&[])).unwrap().limits;
    assert_eq!((limits.limits, limits.website_owner, limits.awaited_moves), (Limits::default(), None, 1000));
    let file = file(
        "[limits]\nholding_cap = 80\nholding_cap_by_role = { dispatch = 100 }\nassignments_held_to_cap = \"yes\"\n\
         claims_per_day = 5\nclaim_gap_seconds = 30\ncool_off_hours = 48\nzone = \"Asia/Tokyo\"\n\
         website_owner = \" Li.Lei \"",
    );
    let mut sources = with_secret(&[("LEADWIRE_LIMITS__HOLDING_CAP", "90")]);
    sources.file = Some(file.path().to_owned());
    let limits = Settings::load(&sources).unwrap().limits;
    assert_eq!(limits.website_owner.as_deref(), Some("li.lei"));
    let limits = limits.limits;
    assert_eq!((limits.cap(Role::Employee), limits.cap(Role::Dispatch)), (90, 100));
    assert_eq!((limits.assignments_held_to_cap, limits.claims_per_day), (true, Some(5)));
    assert_eq!(limits.claim_gap, Some(chrono::TimeDelta::seconds(30)));
    assert_eq!(limits.cool_off, Some(chrono::TimeDelta::hours(48)));
    assert_eq!(limits.zone.name(), "Asia/Tokyo");
}
