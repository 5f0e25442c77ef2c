//! `wechat-simulator`: the simulator as a program of its own.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
};

use anyhow::{Context, Result};
use clap::Parser;
use wechat_simulator::{App, DEMO_APPID, DEMO_SECRET, Simulator, SimulatorConfig, Switches, Template};

/// A WeChat server for tests and demos, with faults on order and a ledger of what people really received.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  wechat-simulator
      The demo app on http://127.0.0.1:3001; open that address to see what people receive.

  wechat-simulator --listen 127.0.0.1:0 --appid wx1 --secret s1 \\
      --template 'T1=thing1,phone_number2,thing3,time4' --template 'T2=thing1,enum2:open|won'
      Your own app and templates on a free port, which is printed.

  curl -d '{\"openid\":\"o1\",\"count\":3}' http://127.0.0.1:3001/__sim/credits
      Person o1 accepts three messages of every template.

  curl -d '{\"endpoint\":\"subscribe_send\",\"times\":2,\"fault\":{\"kind\":\"reset_after\"}}' \\
      http://127.0.0.1:3001/__sim/faults
      The next two sends are delivered, and their connections are reset.

  curl http://127.0.0.1:3001/__sim/ledger?openid=o1
      What o1 really received."
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
    /// Know every openid, not only those that were given credits.
    #[arg(long)]
    accept_any_openid: bool,
    /// Make tokens, rids and message numbers the same on every run.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Arguments { listen, appid, secret, templates, accept_any_openid, seed } = Arguments::parse();
    let templates = if templates.is_empty() { App::demo().templates } else { templates };
    let config = SimulatorConfig {
        apps: vec![App { appid, secret, templates }],
        switches: Switches { accept_any_openid, ..Switches::default() },
        seed,
        ..SimulatorConfig::default()
    };
    let simulator =
        Simulator::start_with(config, listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    writeln!(stdout(), "wechat-simulator listens on {}", simulator.base_url())?;
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    simulator.stop().await;
    Ok(())
}
