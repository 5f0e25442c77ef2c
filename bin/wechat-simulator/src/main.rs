//! `wechat-simulator`: the simulator as a program of its own.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
};

use anyhow::{Context, Result};
use clap::Parser;
use wechat_simulator::{
    App, DEMO_AGENT, DEMO_APPID, DEMO_CLOUD_ENV, DEMO_CORP, DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_SECRET,
    DEMO_ROBOT, DEMO_SECRET, DEMO_WECOM_SECRET, Simulator, SimulatorConfig, Switches, Template, WecomApp,
};

/// A WeChat and WeCom server for tests and demos, with faults on order and a ledger of what people really received.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Both hosts, api.weixin.qq.com and qyapi.weixin.qq.com, are served at one address:
  /cgi-bin/token  /cgi-bin/stable_token  /sns/jscode2session  /cgi-bin/message/subscribe/send
  /cgi-bin/message/template/send  /cgi-bin/message/subscribe/bizsend  /tcb/invokecloudfunction
  /cgi-bin/gettoken  /cgi-bin/message/send  /cgi-bin/message/recall  /cgi-bin/webhook/send

Controls (JSON; an unknown key gives 400): GET shows, POST sets, DELETE forgets
  /__sim/faults     what goes wrong next      /__sim/switches   what nobody knows about the platforms
  /__sim/limits     quotas and rates          /__sim/clock      move time forward
  /__sim/ledger     what people received      /__sim/dropped    said yes to, received by nobody
  /__sim/credits    one-time subscriptions    /__sim/popup, /__sim/turn-off    a person accepts or refuses
  /__sim/calls      calls and errcodes        /__sim/official/*, /__sim/cloud/*, /__sim/wecom/*    people
  /__sim/callbacks  where events are pushed; .../day .../release .../replay .../verify .../log
  /__sim/tokens/end  /__sim/login-codes  /__sim/wake  /__sim/reset

Examples:
  wechat-simulator
      The demo apps on http://127.0.0.1:3001; open that address to see what people receive.

  wechat-simulator --listen 127.0.0.1:0 --appid wx1 --secret s1 \\
      --template 'T1=thing1,phone_number2,thing3,time4' --template 'T2=thing1,enum2:open|won'
      Your own app and templates on a free port, which is printed.

  curl -d '{\"openid\":\"o1\",\"count\":3}' http://127.0.0.1:3001/__sim/credits
      Person o1 accepts three messages of every template.

  curl -d '{\"userid\":\"LiSi\"}' http://127.0.0.1:3001/__sim/wecom/users
      LiSi is a member of the corp.

  curl -d '{\"openid\":\"o2\"}' http://127.0.0.1:3001/__sim/official/followers
      Person o2 follows the official account.

  curl -d '{\"staff_id\":\"s1\",\"openid\":\"o1\"}' http://127.0.0.1:3001/__sim/cloud/users
      The sample cloud function knows staff member s1 as o1.

  curl -d '{\"endpoint\":\"subscribe_send\",\"times\":2,\"fault\":{\"kind\":\"reset_after\"}}' \\
      http://127.0.0.1:3001/__sim/faults
      The next two sends are delivered, and their connections are reset.

  curl -d '{\"app\":\"wx0000000000demo01\",\"target\":{\"url\":\"http://127.0.0.1:8080/wx\",\"token\":\"t\"}}' \\
      http://127.0.0.1:3001/__sim/callbacks
      Events of the demo app are pushed to your server.

  curl 'http://127.0.0.1:3001/__sim/ledger?recipient=o1&channel=wechat_cloud'
      What o1 really received through the cloud function."
)]
struct Arguments {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:3001")]
    listen: SocketAddr,
    /// Appid of the mini program.
    #[arg(long, default_value = DEMO_APPID)]
    appid: String,
    /// AppSecret of the mini program.
    #[arg(long, default_value = DEMO_SECRET)]
    secret: String,
    /// A template it may send, as ID=KEY,KEY,...; may be given several times. The demo template without it.
    #[arg(long = "template", value_name = "ID=KEY,KEY,...")]
    templates: Vec<Template>,
    /// Appid of the official account.
    #[arg(long, default_value = DEMO_OFFICIAL_APPID)]
    official_appid: String,
    /// AppSecret of the official account.
    #[arg(long, default_value = DEMO_OFFICIAL_SECRET)]
    official_secret: String,
    /// A template of the official account; may be given several times. The demo template without it.
    #[arg(long = "official-template", value_name = "ID=KEY,KEY,...")]
    official_templates: Vec<Template>,
    /// Cloud environment of the mini program.
    #[arg(long, default_value = DEMO_CLOUD_ENV)]
    cloud_env: String,
    /// Corp id of the WeCom app.
    #[arg(long, default_value = DEMO_CORP)]
    wecom_corp: String,
    /// Agent id of the WeCom app.
    #[arg(long, default_value_t = DEMO_AGENT)]
    wecom_agent: u64,
    /// Secret of the WeCom app.
    #[arg(long, default_value = DEMO_WECOM_SECRET)]
    wecom_secret: String,
    /// Key of a group robot; may be given several times.
    #[arg(long = "robot", value_name = "KEY", default_value = DEMO_ROBOT)]
    robots: Vec<String>,
    /// Know every openid, not only those that were given credits.
    #[arg(long)]
    accept_any_openid: bool,
    /// Make tokens, rids and message numbers the same on every run.
    #[arg(long)]
    seed: Option<u64>,
}

impl Arguments {
    fn config(self) -> SimulatorConfig {
        let templates_or = |own: Vec<Template>, demo: App| if own.is_empty() { demo.templates } else { own };
        let app = App {
            appid: self.appid,
            secret: self.secret,
            templates: templates_or(self.templates, App::demo()),
        };
        let official = App {
            appid: self.official_appid,
            secret: self.official_secret,
            templates: templates_or(self.official_templates, App::demo_official()),
        };
        let wecom =
            WecomApp { corp_id: self.wecom_corp, agent_id: self.wecom_agent, secret: self.wecom_secret };
        SimulatorConfig {
            apps: vec![app],
            official_accounts: vec![official],
            cloud_envs: vec![self.cloud_env],
            wecom_apps: vec![wecom],
            robots: self.robots,
            switches: Switches { accept_any_openid: self.accept_any_openid, ..Switches::default() },
            seed: self.seed,
            ..SimulatorConfig::default()
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let listen = arguments.listen;
    let simulator = Simulator::start_with(arguments.config(), listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    writeln!(stdout(), "wechat-simulator listens on {}", simulator.base_url())?;
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    simulator.stop().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_its_defaults_are_the_demo() {
        Arguments::command().debug_assert();
        let config = Arguments::parse_from(["wechat-simulator"]).config();
        let demo = SimulatorConfig::default();
        assert_eq!((config.apps, config.official_accounts), (demo.apps, demo.official_accounts));
        assert_eq!(
            (config.wecom_apps, config.robots, config.cloud_envs),
            (demo.wecom_apps, demo.robots, demo.cloud_envs)
        );
    }

    #[test]
    fn everything_can_be_named() {
        let config = Arguments::parse_from([
            "wechat-simulator",
            "--appid",
            "wx1",
            "--template",
            "T=thing1,time2",
            "--official-appid",
            "wx2",
            "--official-template",
            "U=thing1,time2",
            "--wecom-corp",
            "ww1",
            "--wecom-agent",
            "7",
            "--robot",
            "a",
            "--robot",
            "b",
            "--cloud-env",
            "e",
        ])
        .config();
        assert_eq!(
            (config.apps[0].templates[0].id(), config.official_accounts[0].templates[0].id()),
            ("T", "U")
        );
        assert_eq!((config.wecom_apps[0].key().as_str(), config.robots.len()), ("ww1/7", 2));
        assert_eq!(config.cloud_envs, ["e"]);
    }
}
