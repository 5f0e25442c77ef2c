//! The settings of a command that works on the database and serves nothing: fewer are needed, so fewer can stop it.

use application::customers::Limits;
use application::delivery::RetrySchedule;
use chrono_tz::Tz;
use infrastructure::intake::SourceSettings;

use super::ConfigError;
use super::intake::intake;
use super::limits::limits;
use super::reader::{Reader, Sources};
use super::service::{self, DatabaseSettings, LogSettings};

/// Which log lines a command writes beside its result, unless somebody sets `log.filter`.
const QUIET: &str = "warn";

/// What a command on the database needs.
#[derive(Debug, Clone)]
pub struct ToolSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// Log lines.
    pub log: LogSettings,
    /// Where the people of the installation live: figures by day are by its days.
    pub zone: Tz,
    /// What people are held to, unless the rules of the pool say otherwise.
    pub limits: Limits,
    /// The mini program, when one is configured.
    pub wechat_app: Option<String>,
    /// Its template for assignment notices, when one is configured.
    pub wechat_template: Option<String>,
    /// Databases that somebody else writes members into.
    pub intake: Vec<SourceSettings>,
    /// Waits between attempts.
    pub schedule: RetrySchedule,
    /// The WeCom corporation, when one is configured.
    pub wecom_corp: Option<String>,
}

impl ToolSettings {
    /// Reads them; names every mistake at once.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(sources);
        let read = Self::read(&mut reader);
        reader.finish(read)
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        let (database, limits) = (service::database(reader), limits(reader));
        let mut log = service::log(reader)?;
        if !reader.is_changed("log.filter") {
            QUIET.clone_into(&mut log.filter);
        }
        let limits = limits?.limits;
        let schedule = service::delivery(reader)?.schedule;
        let intake = intake(reader, &schedule);
        Some(Self {
            database: database?,
            log,
            zone: limits.zone,
            limits,
            intake,
            schedule,
            wechat_app: reader.text("wechat_subscribe.appid"),
            wechat_template: reader.text("wechat_subscribe.template"),
            wecom_corp: reader.text("wecom_app.corpid").or_else(|| reader.text("wecom_robot.corpid")),
        })
    }
}
