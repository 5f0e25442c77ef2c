//! The settings of the channels and of who is told through which.

use application::channels::{wechat_official, wecom_app, wecom_robot};
use application::texts::kinds;
use domain::notification::Channel;

use super::*;

const WECOM: [(&str, &str); 4] = [
    ("LEADWIRE_SERVER__PUBLIC_URL", "https://crm.example.com/"),
    ("LEADWIRE_WECOM_APP__CORPID", "ww1"),
    ("LEADWIRE_WECOM_APP__AGENTID", "1000002"),
    ("LEADWIRE_WECOM_APP__SECRET", "hunter2"),
];

fn load(pairs: &[(&str, &str)]) -> Settings {
    Settings::load(&with_secret(pairs)).unwrap()
}

#[test]
fn no_channel_is_configured_unless_somebody_does() {
    let channels = load(&[]).channels();
    for channel in Channel::EXTERNAL {
        assert!(!channels.is_configured(channel), "{channel}");
    }
    let usual = [Channel::WecomApp, Channel::WechatSubscribe, Channel::WechatOfficial, Channel::WechatCloud];
    assert_eq!(channels.routes.of(kinds::CUSTOMER_ASSIGNED), usual);
    assert_eq!(channels.routes.of(kinds::CUSTOMER_STATUS_CHANGED), []);
}

#[test]
fn a_wecom_application_is_a_card_that_leads_to_the_console() {
    let settings = load(&WECOM);
    let app = settings.wecom_app.as_ref().unwrap();
    assert_eq!((app.channel.app().as_str(), app.channel.kind), ("ww1/1000002", wecom_app::Kind::Textcard));
    assert_eq!(app.channel.public_url.as_deref(), Some("https://crm.example.com"));
    assert_eq!(app.base_url.as_str(), "https://qyapi.weixin.qq.com/");
    assert_eq!(app.secret.expose_secret(), "hunter2");
    assert!(settings.channels().is_configured(Channel::WecomApp));
    let mut pairs = WECOM.to_vec();
    pairs.extend([("LEADWIRE_WECOM_ROBOT__KEY", "k"), ("LEADWIRE_WECOM_ROBOT__KIND", "text")]);
    let robot = load(&pairs).wecom_robot.unwrap().channel;
    assert_eq!((robot.corp.as_deref(), robot.kind), (Some("ww1"), wecom_robot::Kind::Text));
    assert_eq!(robot.name, "robot");
}

#[test]
fn system_as_names_configure_the_cloud_function_and_the_service_account() {
    let settings = load(&[
        ("MINIPROGRAM_APPID", "wx1"),
        ("MINIPROGRAM_APPSECRET", "s1"),
        ("MINIPROGRAM_CLOUD_ENV", "prod-1"),
        ("WECHAT_APPID", "wx2"),
        ("WECHAT_APPSECRET", "s2"),
        ("WECHAT_TPL_LEAD_ASSIGN", "T2"),
    ]);
    assert!(settings.wechat_subscribe.is_none(), "no template of subscribe messages");
    let cloud = settings.wechat_cloud.unwrap();
    assert_eq!((cloud.channel.app.as_str(), cloud.channel.env.as_str()), ("wx1", "prod-1"));
    assert_eq!(
        (cloud.channel.function.as_str(), cloud.secret.expose_secret()),
        ("quickstartFunctions", "s1")
    );
    let official = settings.wechat_official.unwrap();
    assert_eq!((official.channel.app.as_str(), official.channel.template.as_str()), ("wx2", "T2"));
    assert_eq!(official.channel.kind, wechat_official::Kind::Subscribe, "A's template is one of bizsend");
    let keys: Vec<_> = official.channel.fields.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["thing1", "time3", "thing4"]);

    let own = load(&[
        ("WECHAT_APPID", "wx2"),
        ("WECHAT_APPSECRET", "s2"),
        ("WECHAT_TPL_LEAD_ASSIGN", "T2"),
        ("LEADWIRE_WECHAT_OFFICIAL__TEMPLATE", "T3"),
    ]);
    let official = own.wechat_official.unwrap().channel;
    assert_eq!((official.template.as_str(), official.kind), ("T3", wechat_official::Kind::Template));
}

#[test]
fn a_cloud_function_of_another_app_has_a_secret_of_its_own() {
    let settings = load(&[
        ("MINIPROGRAM_APPID", "wx1"),
        ("MINIPROGRAM_APPSECRET", "s1"),
        ("LEADWIRE_WECHAT_SUBSCRIBE__TEMPLATE", "T"),
        ("LEADWIRE_WECHAT_CLOUD__APPID", "wx3"),
        ("LEADWIRE_WECHAT_CLOUD__SECRET", "s3"),
        ("LEADWIRE_WECHAT_CLOUD__ENV", "prod-1"),
    ]);
    assert_eq!(settings.wechat_subscribe.unwrap().channel.app, "wx1");
    let cloud = settings.wechat_cloud.unwrap();
    assert_eq!((cloud.channel.app.as_str(), cloud.secret.expose_secret()), ("wx3", "s3"));
}

#[test]
fn a_route_is_an_ordered_list_for_each_type() {
    let file = file(
        "[routes]\ndefault = [\"wecom_app\"]\nACCOUNT_SECURITY = [\"wecom_app\", \"wecom_robot\"]\n\
         CUSTOMER_TRANSFERRED = [\"wecom_robot\"]",
    );
    let mut sources = with_secret(&[("LEADWIRE_ROUTES__CUSTOMER_TRANSFERRED", "wechat_cloud, wecom_app")]);
    sources.file = Some(file.path().to_owned());
    let routes = Settings::load(&sources).unwrap().routes;
    assert_eq!(routes.of(kinds::CUSTOMER_ASSIGNED), [Channel::WecomApp]);
    assert_eq!(routes.of(kinds::ACCOUNT_SECURITY), [Channel::WecomApp, Channel::WecomRobot]);
    assert_eq!(routes.of(kinds::CUSTOMER_TRANSFERRED), [Channel::WechatCloud, Channel::WecomApp]);
    let printed = effective(&sources);
    let shown = |path: &str| printed.iter().find(|(known, _)| *known == path).map(|(_, text)| text.as_str());
    assert_eq!(shown("routes.CUSTOMER_TRANSFERRED"), Some("wechat_cloud,wecom_app"));
    assert_eq!(shown("routes.CUSTOMER_ASSIGNED"), None);
}

#[test]
fn every_mistake_of_a_channel_is_named() {
    let wecom = |extra: &[(&'static str, &'static str)]| [&WECOM[..], extra].concat();
    let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (
            vec![("LEADWIRE_WECOM_APP__CORPID", "ww1")],
            "wecom_app.agentid: is needed: corpid, agentid and secret",
        ),
        (wecom(&[("LEADWIRE_SERVER__PUBLIC_URL", "")]), "wecom_app: a textcard needs server.public_url"),
        (
            wecom(&[("LEADWIRE_SERVER__PUBLIC_URL", "crm")]),
            "server.public_url: is not an http or https address",
        ),
        (
            wecom(&[("LEADWIRE_WECOM_APP__KIND", "card")]),
            "wecom_app.kind: is one of text, textcard, markdown",
        ),
        (wecom(&[("LEADWIRE_WECOM_APP__AGENTID", "0")]), "wecom_app: 0 is not the number of an application"),
        (
            wecom(&[("LEADWIRE_WECOM_APP__REQUEST_TIMEOUT_MS", "1")]),
            "wecom_app.request_timeout_ms: is 50 to 60000 ms, not 1",
        ),
        (
            vec![("LEADWIRE_WECOM_ROBOT__KEY", "k"), ("LEADWIRE_WECOM_ROBOT__KIND", "image")],
            "wecom_robot.kind: is one of text, markdown",
        ),
        (vec![("WECHAT_APPID", "wx2")], "wechat_official.secret: is needed: appid, secret and template"),
        (
            vec![
                ("WECHAT_APPID", "wx2"),
                ("WECHAT_APPSECRET", "s"),
                ("WECHAT_TPL_LEAD_ASSIGN", "T"),
                ("LEADWIRE_WECHAT_OFFICIAL__FIELDS", "keyword1=title"),
            ],
            "wechat_official: a template of this kind has 2 to 5 fields, not 1",
        ),
        (
            vec![
                ("WECHAT_APPID", "wx2"),
                ("WECHAT_APPSECRET", "s"),
                ("WECHAT_TPL_LEAD_ASSIGN", "T"),
                ("LEADWIRE_WECHAT_OFFICIAL__MINI_PROGRAM_APPID", "wx1"),
            ],
            "wechat_official.mini_program_appid: mini_program_appid and mini_program_page are set together",
        ),
        (vec![("MINIPROGRAM_CLOUD_ENV", "prod")], "wechat_cloud.appid: is needed"),
        (
            vec![
                ("MINIPROGRAM_APPID", "wx1"),
                ("MINIPROGRAM_APPSECRET", "s"),
                ("MINIPROGRAM_CLOUD_ENV", "prod"),
                ("LEADWIRE_WECHAT_CLOUD__REQUEST_TIMEOUT_MS", "5000"),
            ],
            "wechat_cloud.request_timeout_ms: is at least 6000 ms",
        ),
        (vec![("LEADWIRE_ROUTES__DEFAULT", "sms")], "routes.default: sms is not a channel; known are"),
        (
            vec![("LEADWIRE_ROUTES__ACCOUNT_SECURITY", "in_app")],
            "routes.ACCOUNT_SECURITY: in_app is always told",
        ),
        (
            vec![("LEADWIRE_ROUTES__CUSTOMER_ASIGNED", "wecom_app")],
            "LEADWIRE_ROUTES__CUSTOMER_ASIGNED: there is no such setting",
        ),
    ];
    for (pairs, expected) in cases {
        let found = problems(&with_secret(&pairs));
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn the_keys_and_secrets_of_channels_are_never_printed_and_never_in_the_file() {
    let pairs = [
        &WECOM[..],
        &[
            ("LEADWIRE_WECOM_ROBOT__KEY", "hunter2"),
            ("WECHAT_APPID", "wx2"),
            ("WECHAT_APPSECRET", "hunter2"),
            ("WECHAT_TPL_LEAD_ASSIGN", "T"),
        ],
    ]
    .concat();
    let printed = format!("{:?} {:?}", effective(&with_secret(&pairs)), load(&pairs));
    assert!(!printed.contains("hunter2"), "{printed}");
    for (section, key) in [("wecom_app", "secret"), ("wecom_robot", "key"), ("wechat_official", "secret")] {
        let file = file(&format!("[{section}]\n{key} = \"hunter2\""));
        let mut sources = with_secret(&[]);
        sources.file = Some(file.path().to_owned());
        let found = problems(&sources);
        assert!(found[0].starts_with(&format!("{section}.{key}: a secret must not stand in")), "{found:?}");
    }
}
