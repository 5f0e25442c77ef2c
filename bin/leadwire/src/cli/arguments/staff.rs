//! The arguments of `leadwire staff`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::staff::Role as StaffRole;

use super::Output;

/// Accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum StaffCommand {
    /// Make an account; the password comes from a prompt, from standard input or from a file
    #[command(after_help = "Example:
  leadwire staff create --username zhang --name 张三 --role manager
  leadwire staff create --username li --name 李四 --role employee --password-file /run/secrets/li")]
    Create(StaffCreate),
    /// Show every account
    #[command(after_help = "Example:
  leadwire staff list --json")]
    List(StaffList),
    /// Replace a password
    #[command(after_help = "Example:
  leadwire staff set-password zhang < /run/secrets/zhang")]
    SetPassword(StaffSetPassword),
    /// Bind an openid of the mini program or, with --app, of the service account, so that its messages arrive
    #[command(after_help = "Example:
  leadwire staff bind-wechat zhang --openid oAbc… --credits 3")]
    BindWechat(StaffBindWechat),
    /// Say which member of the WeCom corporation a person is, so that WeCom messages arrive
    #[command(after_help = "Example:
  leadwire staff bind-wecom zhang --user ZhangSan")]
    BindWecom(StaffBindWecom),
    /// Take that back
    #[command(after_help = "Example:
  leadwire staff unbind-wecom zhang --reason '离职'")]
    UnbindWecom(StaffUnbindWecom),
    /// Change what is known about a person, or the role
    #[command(after_help = "Example:
  leadwire staff update zhang --name 张三丰 --role manager --monthly-task 8")]
    Update(StaffUpdate),
    /// End every session of a person: whoever is logged in as the person is out
    #[command(after_help = "Example:
  leadwire staff log-out zhang")]
    LogOut(StaffOne),
    /// Cut an account off
    #[command(after_help = "Example:
  leadwire staff suspend zhang")]
    Suspend(StaffOne),
    /// Let an account work again
    #[command(after_help = "Example:
  leadwire staff activate zhang")]
    Activate(StaffOne),
    /// Hold the counts of everybody's leads against the log, and make them anew; commands wait meanwhile
    #[command(after_help = "Example:
  leadwire staff recount --dry-run
  leadwire staff recount")]
    Recount(StaffRecount),
}

/// Flags of `staff create`.
#[derive(Debug, Args)]
pub(crate) struct StaffCreate {
    /// Login name
    #[arg(long)]
    pub(crate) username: String,
    /// Name on screens and in notices
    #[arg(long)]
    pub(crate) name: String,
    /// admin, manager, operator, dispatch, employee or admissions; the Chinese names are understood too
    #[arg(long, value_parser = staff_role)]
    pub(crate) role: StaffRole,
    /// Department
    #[arg(long)]
    pub(crate) department: Option<String>,
    /// Phone
    #[arg(long)]
    pub(crate) phone: Option<String>,
    /// E-mail
    #[arg(long)]
    pub(crate) email: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Where a password comes from. Never an argument: arguments are seen by everybody on the machine.
#[derive(Debug, Args)]
pub(crate) struct PasswordSource {
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// Flags of `staff list`.
#[derive(Debug, Args)]
pub(crate) struct StaffList {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `staff set-password`.
#[derive(Debug, Args)]
pub(crate) struct StaffSetPassword {
    /// Login name or id
    pub(crate) staff: String,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

/// Flags of `staff bind-wechat`.
#[derive(Debug, Args)]
pub(crate) struct StaffBindWechat {
    /// Login name or id
    pub(crate) staff: String,
    /// Who the person is to the app
    #[arg(long)]
    pub(crate) openid: String,
    /// The app; the configured mini program by default
    #[arg(long)]
    pub(crate) app: Option<String>,
    /// Grant this many messages as well: each consent on the phone is one
    #[arg(long, value_name = "N")]
    pub(crate) credits: Option<i64>,
    /// The template of those messages; the configured one by default
    #[arg(long)]
    pub(crate) template: Option<String>,
}

/// Flags of `staff bind-wecom`.
#[derive(Debug, Args)]
pub(crate) struct StaffBindWecom {
    /// Login name or id
    pub(crate) staff: String,
    /// The member's userid
    #[arg(long)]
    pub(crate) user: String,
    /// The corporation; the configured one by default
    #[arg(long)]
    pub(crate) corp: Option<String>,
}

/// Flags of `staff unbind-wecom`.
#[derive(Debug, Args)]
pub(crate) struct StaffUnbindWecom {
    /// Login name or id
    pub(crate) staff: String,
    /// The corporation; the configured one by default
    #[arg(long)]
    pub(crate) corp: Option<String>,
    /// Why; the person reads it
    #[arg(long, default_value = "管理员解绑")]
    pub(crate) reason: String,
}

/// Flags of `staff update`: what is not named stays as it is.
#[derive(Debug, Args)]
pub(crate) struct StaffUpdate {
    /// Login name or id
    pub(crate) staff: String,
    /// Name on screens and in notices
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The role from now on
    #[arg(long, value_parser = staff_role)]
    pub(crate) role: Option<StaffRole>,
    /// Department; an empty one takes it away
    #[arg(long)]
    pub(crate) department: Option<String>,
    /// Phone; an empty one takes it away
    #[arg(long)]
    pub(crate) phone: Option<String>,
    /// E-mail; an empty one takes it away
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// Yuan a month the person is to bring in
    #[arg(long, value_name = "N")]
    pub(crate) monthly_task: Option<u32>,
}

/// Flags of `staff log-out`, `staff suspend` and `staff activate`.
#[derive(Debug, Args)]
pub(crate) struct StaffOne {
    /// Login name or id
    pub(crate) staff: String,
}

/// Flags of `staff recount`.
#[derive(Debug, Args)]
pub(crate) struct StaffRecount {
    /// Only show what differs; also beside a running service, and nobody waits
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn staff_role(text: &str) -> Result<StaffRole, String> {
    StaffRole::from_alias(text)
        .ok_or_else(|| "is one of admin, manager, operator, dispatch, employee, admissions".to_owned())
}
