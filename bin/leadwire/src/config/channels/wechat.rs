//! The settings of WeChat's channels.

use application::channels::{wechat_cloud, wechat_official, wechat_subscribe};

use super::super::reader::Reader;
use super::{
    Paths, ProviderSettings, WechatCloudSettings, WechatOfficialSettings, WechatSubscribeSettings, checked,
    fields, kind, needed, provider, public_url, secret,
};

/// What the lead template of existing-systems.md section 0.1 shows, when no fields are configured.
const SUBSCRIBE_FIELDS: [(&str, &str); 4] = [
    ("thing1", "customer_name"),
    ("phone_number2", "phone_masked"),
    ("thing3", "reason"),
    ("time4", "assign_time"),
];
/// What the service account's lead template of existing-systems.md section 6.2 shows.
const OFFICIAL_FIELDS: [(&str, &str); 3] =
    [("thing1", "customer_name"), ("time3", "assign_time"), ("thing4", "assigner")];
/// WeChat ends a cloud function after 5 s and says so; who hangs up before that never hears it.
const CLOUD_TIMEOUT_MS_MIN: u128 = 6_000;

/// The mini program's subscribe messages.
pub(in super::super) fn subscribe(reader: &mut Reader) -> Option<WechatSubscribeSettings> {
    let app = reader.text("wechat_subscribe.appid");
    let secret = secret(reader, "wechat_subscribe.secret", "wechat_subscribe.secret_file");
    let template = reader.text("wechat_subscribe.template");
    // The same mini program may be configured for its cloud function alone.
    let for_the_cloud = reader.text("wechat_cloud.env").is_some() && app.is_some() && secret.is_some();
    if template.is_none() && (for_the_cloud || (app.is_none() && secret.is_none())) {
        return None;
    }
    let parts = [
        ("wechat_subscribe.appid", app.is_some()),
        ("wechat_subscribe.secret", secret.is_some()),
        ("wechat_subscribe.template", template.is_some()),
    ];
    needed(reader, &parts, "appid, secret and template");
    let page = reader.text("wechat_subscribe.page");
    let fields = fields(reader, "wechat_subscribe.fields", &SUBSCRIBE_FIELDS);
    let state = reader.text("wechat_subscribe.miniprogram_state");
    let channel = app.zip(template).map(|(app, template)| {
        let (page, miniprogram_state) = (page.unwrap_or_default(), state.unwrap_or_default());
        let channel = wechat_subscribe::Settings { app, template, page, fields, miniprogram_state };
        checked(reader, "wechat_subscribe", channel, wechat_subscribe::Settings::validate)
    });
    let paths = Paths {
        base_url: "wechat_subscribe.base_url",
        connect: "wechat_subscribe.connect_timeout_ms",
        request: "wechat_subscribe.request_timeout_ms",
    };
    provider(reader, &paths, channel, secret)
}

/// The mini program's cloud function; without an app of its own it is the subscribe messages' one.
pub(in super::super) fn cloud(reader: &mut Reader) -> Option<WechatCloudSettings> {
    let own = reader.text("wechat_cloud.appid");
    let own_secret = secret(reader, "wechat_cloud.secret", "wechat_cloud.secret_file");
    let env = reader.text("wechat_cloud.env");
    if own.is_none() && own_secret.is_none() && env.is_none() {
        return None;
    }
    // An app of its own has a secret of its own.
    let (app, secret) = if own.is_none() && own_secret.is_none() {
        let app = reader.text("wechat_subscribe.appid");
        (app, secret(reader, "wechat_subscribe.secret", "wechat_subscribe.secret_file"))
    } else {
        (own, own_secret)
    };
    let parts = [
        ("wechat_cloud.appid", app.is_some()),
        ("wechat_cloud.secret", secret.is_some()),
        ("wechat_cloud.env", env.is_some()),
    ];
    needed(reader, &parts, "appid, secret (or those of wechat_subscribe) and env");
    let function = reader.text("wechat_cloud.function").unwrap_or_default();
    let channel = app.zip(env).map(|(app, env)| {
        let channel = wechat_cloud::Settings { app, env, function };
        checked(reader, "wechat_cloud", channel, wechat_cloud::Settings::validate)
    });
    let paths = Paths {
        base_url: "wechat_cloud.base_url",
        connect: "wechat_cloud.connect_timeout_ms",
        request: "wechat_cloud.request_timeout_ms",
    };
    let settings: ProviderSettings<_> = provider(reader, &paths, channel, secret)?;
    if settings.request_timeout.as_millis() < CLOUD_TIMEOUT_MS_MIN {
        let rule =
            format!("is at least {CLOUD_TIMEOUT_MS_MIN} ms: WeChat itself says after 5 s that it ended");
        reader.problem(paths.request, rule);
    }
    Some(settings)
}

/// The service account.
pub(in super::super) fn official(reader: &mut Reader) -> Option<WechatOfficialSettings> {
    let app = reader.text("wechat_official.appid");
    let secret = secret(reader, "wechat_official.secret", "wechat_official.secret_file");
    let template = reader.text("wechat_official.template");
    if app.is_none() && secret.is_none() && template.is_none() {
        return None;
    }
    let parts = [
        ("wechat_official.appid", app.is_some()),
        ("wechat_official.secret", secret.is_some()),
        ("wechat_official.template", template.is_some()),
    ];
    needed(reader, &parts, "appid, secret and template");
    let kind = match reader.text("wechat_official.kind") {
        Some(_) => reader
            .checked("wechat_official.kind", |text: String| kind(&wechat_official::Kind::NAMES, text.trim())),
        // System A's template is one of subscribe messages.
        None if reader.is_named_by_a("wechat_official.template") => Some(wechat_official::Kind::Subscribe),
        None => Some(wechat_official::Kind::default()),
    };
    let mini_app = reader.text("wechat_official.mini_program_appid");
    let mini_page = reader.text("wechat_official.mini_program_page");
    if mini_app.is_some() != mini_page.is_some() {
        let rule = "mini_program_appid and mini_program_page are set together or not at all";
        reader.problem("wechat_official.mini_program_appid", rule);
    }
    let fields = fields(reader, "wechat_official.fields", &OFFICIAL_FIELDS);
    let public_url = public_url(reader);
    let channel = app.zip(template).zip(kind).map(|((app, template), kind)| {
        let mini_program = mini_app.zip(mini_page);
        let channel = wechat_official::Settings { app, kind, template, fields, public_url, mini_program };
        checked(reader, "wechat_official", channel, wechat_official::Settings::validate)
    });
    let paths = Paths {
        base_url: "wechat_official.base_url",
        connect: "wechat_official.connect_timeout_ms",
        request: "wechat_official.request_timeout_ms",
    };
    provider(reader, &paths, channel, secret)
}
