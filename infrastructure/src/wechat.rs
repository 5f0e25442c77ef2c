//! WeChat's mini-program API: the access token all processes share, and one-time subscribe messages.
//!
//! Thin on purpose (architecture.md section 6): this module moves bytes and keeps the token; what an answer means is
//! decided in `application::channels`, and what becomes of a delivery in [`crate::dispatcher`].

mod answer;
mod login;
mod subscribe;
mod token_api;
mod token_row;
mod token_store;

pub use login::{CodeExchange, CodeProblem};
pub use subscribe::WechatSubscribe;
pub use token_store::{AccessToken, TokenProblem, TokenStore};

use secrecy::SecretString;
use url::Url;

use crate::provider_http::Timeouts;

/// Every statement about tokens, for the test that prepares them.
pub const STATEMENTS: &[&str] = token_row::STATEMENTS;

/// The app and how to reach WeChat. The secret does not print itself.
#[derive(Debug, Clone)]
pub struct WechatSettings {
    /// `https://api.weixin.qq.com`, one of its other names, or a simulator.
    pub base_url: Url,
    /// The mini program's app id.
    pub app: String,
    /// The mini program's secret.
    pub secret: SecretString,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl WechatSettings {
    /// The address of an API path such as `cgi-bin/stable_token`.
    fn endpoint(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        url
    }
}
