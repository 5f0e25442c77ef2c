//! The settings of `WeCom`'s channels.

use application::channels::{wecom_app, wecom_robot};

use super::super::reader::Reader;
use super::{
    Paths, WecomAppSettings, WecomRobotSettings, checked, kind, needed, provider, public_url, secret,
};

/// The application.
pub(in super::super) fn app(reader: &mut Reader) -> Option<WecomAppSettings> {
    let corp = reader.text("wecom_app.corpid");
    let agent = reader.optional::<i64>("wecom_app.agentid");
    let secret = secret(reader, "wecom_app.secret", "wecom_app.secret_file");
    if corp.is_none() && agent.is_none() && secret.is_none() {
        return None;
    }
    let parts = [
        ("wecom_app.corpid", corp.is_some()),
        ("wecom_app.agentid", agent.is_some()),
        ("wecom_app.secret", secret.is_some()),
    ];
    needed(reader, &parts, "corpid, agentid and secret");
    let kind = reader.checked("wecom_app.kind", |text: String| kind(&wecom_app::Kind::NAMES, text.trim()));
    let public_url = public_url(reader);
    let channel = corp.zip(agent).zip(kind).map(|((corp, agent), kind)| {
        let channel = wecom_app::Settings { corp, agent, kind, public_url };
        checked(reader, "wecom_app", channel, wecom_app::Settings::validate)
    });
    let paths = Paths {
        base_url: "wecom_app.base_url",
        connect: "wecom_app.connect_timeout_ms",
        request: "wecom_app.request_timeout_ms",
    };
    provider(reader, &paths, channel, secret)
}

/// The group robot. Without a corporation of its own it mentions the members of the application's one.
pub(in super::super) fn robot(reader: &mut Reader) -> Option<WecomRobotSettings> {
    let key = secret(reader, "wecom_robot.key", "wecom_robot.key_file")?;
    let kind =
        reader.checked("wecom_robot.kind", |text: String| kind(&wecom_robot::Kind::NAMES, text.trim()));
    let name = reader.text("wecom_robot.name").unwrap_or_default();
    let corp = reader.text("wecom_robot.corpid").or_else(|| reader.text("wecom_app.corpid"));
    let public_url = public_url(reader);
    let channel = kind.map(|kind| {
        let channel = wecom_robot::Settings { name, corp, kind, public_url };
        checked(reader, "wecom_robot", channel, wecom_robot::Settings::validate)
    });
    let paths = Paths {
        base_url: "wecom_robot.base_url",
        connect: "wecom_robot.connect_timeout_ms",
        request: "wecom_robot.request_timeout_ms",
    };
    provider(reader, &paths, channel, Some(key))
}
