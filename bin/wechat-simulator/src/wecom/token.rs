//! `gettoken`: the same token while it is valid, per app (wechat-apis.md §5.1).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{
    errcode::Refusal,
    rates::{HOUR_SECONDS, Window},
    tokens::Grant,
    world::{WireRequest, World},
};

/// How long failing calls have a corp blocked.
const BLOCK: TimeDelta = TimeDelta::hours(1);

impl World {
    pub(crate) fn gettoken(&mut self, request: &WireRequest) -> Result<Value, Refusal> {
        if !request.is_get {
            return Err(Refusal::RequireGet);
        }
        let corp_id = request.parameter("corpid").ok_or(Refusal::MissingAppid)?;
        let now = self.now();
        if self.wecom.blocked_until.get(corp_id).is_some_and(|until| now < *until) {
            return Err(Refusal::DayQuota);
        }
        match self.wecom_credential(corp_id, request.parameter("corpsecret")) {
            Ok(app) => Ok(grant_body(&self.tokens.wecom(&app, now, &mut self.rng))),
            Err(refusal) => {
                self.count_failed_gettoken(corp_id, now);
                Err(refusal)
            }
        }
    }

    /// The app a secret belongs to.
    fn wecom_credential(&self, corp_id: &str, secret: Option<&str>) -> Result<String, Refusal> {
        if !self.wecom.knows_corp(corp_id) {
            return Err(Refusal::InvalidAppid);
        }
        let secret = secret.ok_or(Refusal::MissingSecret)?;
        let mut with_secret = self.wecom.apps.iter().filter(|app| app.secret == secret);
        match with_secret.clone().find(|app| app.corp_id == corp_id) {
            Some(app) => Ok(app.key()),
            None if with_secret.next().is_some() => Err(Refusal::Plain(40091)), // another corp's
            None => Err(Refusal::Plain(40001)),
        }
    }

    fn count_failed_gettoken(&mut self, corp_id: &str, now: DateTime<Utc>) {
        let key = format!("gettoken {corp_id}");
        self.wecom.rates.note(&key, now);
        let failed = self.wecom.rates.count(&key, HOUR_SECONDS, Window::Rolling, now);
        if self.limits.wecom_failed_gettoken_per_hour.is_some_and(|limit| failed >= limit) {
            self.wecom.blocked_until.insert(corp_id.to_owned(), now + BLOCK);
        }
    }
}

fn grant_body(grant: &Grant) -> Value {
    json!({
        "errcode": 0, "errmsg": "ok", "access_token": grant.access_token, "expires_in": grant.expires_in
    })
}
