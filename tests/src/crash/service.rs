//! The real program as a process of its own: started, asked, killed, started again.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use application::ports::Clock as _;
use domain::StaffId;
use domain::notification::Channel;
use domain::staff::Role;
use infrastructure::clock::SystemClock;
use leadwire::auth::Tokens;
use secrecy::SecretString;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use wechat_simulator::{
    DEMO_AGENT, DEMO_APPID, DEMO_CLOUD_ENV, DEMO_CORP, DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_SECRET,
    DEMO_OFFICIAL_TEMPLATE, DEMO_SECRET, DEMO_TEMPLATE, DEMO_WECOM_SECRET,
};

use super::seats::ROUTE;
use crate::scratch::ScratchDatabase;

/// Longest time from the start of the process until it answers. Wide: the machine may be busy with a build.
const START_PATIENCE: Duration = Duration::from_mins(1);

/// Longest time a graceful stop may take: the 10 seconds of http-api.md section 7 and room for a slow machine.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// Longest time for one command of the command line.
const COMMAND_PATIENCE: Duration = Duration::from_mins(2);

/// How often a starting service is asked.
const POLL: Duration = Duration::from_millis(10);

/// What the fields of the demo template show. `thing1` names the lead: that is how the ledger is read.
const TEMPLATE_FIELDS: &str =
    "thing1=customer_name,phone_number2=phone_masked,thing3=assigner,time4=assign_time";

/// The setting that every process has for itself.
const LISTEN: &str = "LEADWIRE_SERVER__LISTEN";

/// How long a token of this run is good: longer than any run.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// Signs the tokens of this run, which outlive the process that made them.
const JWT_SECRET: &str = "the-secret-of-a-crash-run-that-is-long-enough";

/// Where the service of this run is, and with which settings. Clones are the same place.
#[derive(Debug, Clone)]
pub struct Address {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    /// The log file's name.
    log: String,
    settings: Vec<(&'static str, String)>,
}

impl Address {
    /// A free port, and the settings for a database and a WeChat.
    pub fn new(program: &Path, database: &ScratchDatabase, wechat: &str) -> Result<Self> {
        let port = free_port()?;
        let settings = vec![
            (LISTEN, format!("127.0.0.1:{port}")),
            ("LEADWIRE_DATABASE__URL", database.url().to_owned()),
            ("LEADWIRE_AUTH__JWT_SECRET", JWT_SECRET.to_owned()),
            ("LEADWIRE_WECHAT_SUBSCRIBE__APPID", DEMO_APPID.to_owned()),
            ("LEADWIRE_WECHAT_SUBSCRIBE__SECRET", DEMO_SECRET.to_owned()),
            ("LEADWIRE_WECHAT_SUBSCRIBE__TEMPLATE", DEMO_TEMPLATE.to_owned()),
            ("LEADWIRE_WECHAT_SUBSCRIBE__FIELDS", TEMPLATE_FIELDS.to_owned()),
            ("LEADWIRE_WECHAT_SUBSCRIBE__BASE_URL", wechat.to_owned()),
            ("LEADWIRE_LOG__FILTER", "info,sqlx=warn".to_owned()),
        ];
        let (program, folder) = (program.to_owned(), database.folder().to_owned());
        Ok(Self { program, folder, port, log: "leadwire.log".to_owned(), settings })
    }

    /// The same with another setting.
    #[must_use]
    pub fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((variable, value.into()));
        self
    }

    /// Another process on the same database: a port and a log of its own.
    pub fn beside(&self, number: usize) -> Result<Self> {
        let port = free_port()?;
        let log = format!("leadwire-{number}.log");
        Ok(Self { port, log, ..self.clone() }.with(LISTEN, format!("127.0.0.1:{port}")))
    }

    /// A token of somebody for an hour, without the price of a password.
    pub fn token(&self, id: StaffId, username: &str, role: Role) -> Result<String> {
        let tokens = Tokens::new(&SecretString::from(JWT_SECRET), TOKEN_LIFE);
        Ok(tokens.issue(id, username, role, SystemClock.now())?)
    }

    /// The same with every channel that tells one person, all of them at one simulator: a lead that is assigned goes by the
    /// whole route, one that changes hands by the mini program's messages alone.
    #[must_use]
    pub fn with_every_channel(mut self, simulator: &str) -> Self {
        let route: Vec<&str> = ROUTE.iter().map(|channel| channel.as_str()).collect();
        self.settings.extend([
            ("LEADWIRE_WECOM_APP__CORPID", DEMO_CORP.to_owned()),
            ("LEADWIRE_WECOM_APP__AGENTID", DEMO_AGENT.to_string()),
            ("LEADWIRE_WECOM_APP__SECRET", DEMO_WECOM_SECRET.to_owned()),
            ("LEADWIRE_WECOM_APP__KIND", "text".to_owned()),
            ("LEADWIRE_WECOM_APP__BASE_URL", simulator.to_owned()),
            ("LEADWIRE_WECHAT_OFFICIAL__APPID", DEMO_OFFICIAL_APPID.to_owned()),
            ("LEADWIRE_WECHAT_OFFICIAL__SECRET", DEMO_OFFICIAL_SECRET.to_owned()),
            ("LEADWIRE_WECHAT_OFFICIAL__TEMPLATE", DEMO_OFFICIAL_TEMPLATE.to_owned()),
            ("LEADWIRE_WECHAT_OFFICIAL__KIND", "template".to_owned()),
            ("LEADWIRE_WECHAT_OFFICIAL__BASE_URL", simulator.to_owned()),
            ("LEADWIRE_WECHAT_CLOUD__APPID", DEMO_APPID.to_owned()),
            ("LEADWIRE_WECHAT_CLOUD__SECRET", DEMO_SECRET.to_owned()),
            ("LEADWIRE_WECHAT_CLOUD__ENV", DEMO_CLOUD_ENV.to_owned()),
            ("LEADWIRE_WECHAT_CLOUD__BASE_URL", simulator.to_owned()),
            ("LEADWIRE_ROUTES__CUSTOMER_ASSIGNED", route.join(",")),
            ("LEADWIRE_ROUTES__CUSTOMER_TRANSFERRED", Channel::WechatSubscribe.to_string()),
        ]);
        self
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A file for everybody's password: the command line takes none as an argument.
    pub fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }

    /// Runs a command of the command line to its end; what it printed.
    pub async fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<String> {
        let mut command = self.program();
        command.args(arguments).stdin(Stdio::null());
        let shown = format!("{:?}", command.as_std().get_args().collect::<Vec<_>>());
        let output = timeout(COMMAND_PATIENCE, command.output())
            .await
            .with_context(|| format!("leadwire {shown} does not end"))??;
        let printed = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.success(),
            "leadwire {shown} failed with {}:\n{printed}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(printed)
    }

    /// The same for a command that prints JSON.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let printed = self.command(arguments.iter().copied().chain(["--json"])).await?;
        serde_json::from_str(&printed)
            .with_context(|| format!("not JSON from leadwire {arguments:?}: {printed}"))
    }

    /// The program with this run's settings and nothing of ours, such as `LEADWIRE_…` of a developer's shell.
    fn program(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(self.settings.iter().map(|(name, value)| (*name, value)));
        command.current_dir(&self.folder).kill_on_drop(true);
        command
    }

    fn log(&self) -> Result<File> {
        let path = self.folder.join(&self.log);
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .context("cannot write the log of the service")
    }
}

/// A running `leadwire serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Service {
    address: Address,
    child: Child,
}

impl Service {
    /// Starts it and waits until it answers.
    pub async fn start(address: &Address) -> Result<Self> {
        let child = spawn(address)?;
        let mut service = Self { address: address.clone(), child };
        service.until_live().await?;
        Ok(service)
    }

    /// `kill -9` of this very process, and a new one in its place. Returns once the new one answers; how long
    /// nobody did.
    pub async fn kill_and_restart(&mut self) -> Result<Duration> {
        ensure!(self.child.try_wait()?.is_none(), "the service ended by itself: {}", self.last_words());
        let killed = Instant::now();
        self.child.kill().await.context("cannot kill the service")?;
        self.child = spawn(&self.address)?;
        self.until_live().await?;
        Ok(killed.elapsed())
    }

    /// `kill -9` of this very process.
    pub async fn kill(mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the service ended by itself: {}", self.last_words());
        self.child.kill().await.context("cannot kill the service")
    }

    /// Everything that it and those before it at this address logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.address.folder.join(&self.address.log)).unwrap_or_default()
    }

    /// Fails when the process is gone although nobody killed it.
    pub fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the service ended by itself with {status}: {}", self.last_words()),
        }
    }

    /// Asks it to stop and waits; it must do so in time and without an error.
    pub async fn stop(mut self) -> Result<()> {
        self.check_alive()?;
        let id = self.child.id().context("the service has no process id")?;
        // Through the shell's own `kill`: the standard library can only send SIGKILL.
        let sent = Command::new("sh").args(["-c", "kill -s TERM \"$1\"", "sh", &id.to_string()]).status();
        ensure!(sent.await?.success(), "cannot ask process {id} to stop");
        let status: ExitStatus = timeout(STOP_PATIENCE, self.child.wait())
            .await
            .with_context(|| format!("the service does not stop within {STOP_PATIENCE:?}"))??;
        ensure!(status.success(), "the service stopped with {status}: {}", self.last_words());
        Ok(())
    }

    async fn until_live(&mut self) -> Result<()> {
        let client = super::client::http_client()?;
        let live = format!("{}/health/live", self.address.base_url());
        let started = Instant::now();
        loop {
            self.check_alive()?;
            let answer = client.get(&live).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            ensure!(started.elapsed() < START_PATIENCE, "no answer from {live}: {}", self.last_words());
            sleep(POLL).await;
        }
    }

    /// The end of the log.
    fn last_words(&self) -> String {
        /// Lines of the log worth showing.
        const LINES: usize = 20;
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(LINES);
        format!("\n{}", lines[from..].join("\n"))
    }
}

/// A port that is free again at once. Somebody else could take it, and then the start says so.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn spawn(address: &Address) -> Result<Child> {
    let (out, err) = (address.log()?, address.log()?);
    let mut command = address.program();
    command.args(["serve", "--roles", "api,worker"]).stdin(Stdio::null()).stdout(out).stderr(err);
    command.spawn().with_context(|| format!("cannot start {}", address.program.display()))
}
