//! Who asks: tokens, sessions, failed log-ins, and the caller as the staff directory knows the person at this moment.
//!
//! A token names a person, an end, and the log-in it follows from. Whether that was ended (logged out, password
//! changed) is known in memory; role and state are read from the person's own stream on every request, so that a
//! suspension counts at once; the stream is in memory or one indexed probe away.

mod attempts;
mod caller;
mod issuer;
mod service;
mod tokens;

use std::sync::Arc;

use application::ports::Clock;
use infrastructure::credentials::Credentials;
use infrastructure::db::Db;
use infrastructure::provider_http::{ClientError, Timeouts};
use infrastructure::service_tokens::ServiceTokens;
use infrastructure::sessions::Sessions;
use infrastructure::wechat::{CodeExchange, WechatSettings};

pub use attempts::{FAILURES_MAX, LoginAttempts, WINDOW_SECONDS};
pub use caller::{Authenticated, LoggedIn, Refused, Session, bearer, caller_of, staff_caller, still_good};
pub use issuer::Issuer;
pub use service::{
    AnyScope, CustomersRead, IntakeWrite, NotificationsRequest, QueueProcess, RequiredScope, ServiceCaller,
};
pub use tokens::{Begun, Claims, Origin, TokenError, Tokens};

use crate::config::Settings;

/// Everything about logging in.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Signs and checks tokens.
    pub tokens: Tokens,
    /// Whose tokens are accepted besides ours.
    pub issuer: Option<Issuer>,
    /// Which sessions were ended before their tokens.
    pub sessions: Sessions,
    /// Passwords.
    pub credentials: Credentials,
    /// Tokens of machine callers.
    pub service_tokens: ServiceTokens,
    /// Failed log-ins.
    pub attempts: LoginAttempts,
    /// Who a code of the mini program stands for; `None` when no mini program is configured.
    pub wechat: Option<Arc<CodeExchange>>,
}

impl Auth {
    /// With these settings, on this database.
    pub fn new(settings: &Settings, db: Db, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let issuer = settings.auth.issuer.as_ref().map(Issuer::new).transpose()?;
        let wechat = settings.wechat_subscribe.as_ref().map(|wechat| {
            let provider = WechatSettings {
                base_url: wechat.base_url.clone(),
                app: wechat.channel.app.clone(),
                secret: wechat.secret.clone(),
                timeouts: Timeouts { connect: wechat.connect_timeout, total: wechat.request_timeout },
            };
            CodeExchange::new(provider, clock.clone()).map(Arc::new)
        });
        Ok(Self {
            tokens: Tokens::new(&settings.auth.jwt_secret, settings.auth.token_life),
            issuer,
            sessions: Sessions::new(db.clone(), clock),
            credentials: Credentials::new(db.clone()),
            service_tokens: ServiceTokens::new(db),
            attempts: LoginAttempts::default(),
            wechat: wechat.transpose()?,
        })
    }
}
