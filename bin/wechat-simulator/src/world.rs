//! Everything the simulator knows, and the answers that follow from it. One value behind one lock; no IO, no
//! waiting. A new endpoint is a new variant of [`Endpoint`] and a new arm in [`World::decide`].

mod delivery;
mod wire;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    callback::Callbacks,
    calls::{Calls, Endpoint, Host},
    clock::Clock,
    cloud::Cloud,
    config::SimulatorConfig,
    credits::Credits,
    errcode::Refusal,
    faults::Faults,
    ledger::Ledger,
    login::{LoginCodes, session_key},
    official::Official,
    quota::Quota,
    subscribe::text,
    switches::{Limits, Switches},
    template::App,
    tokens::{Grant, Tokens},
    wecom::Wecom,
};
pub(crate) use wire::{Circumstance, WireRequest};

/// Message numbers begin above this one, seen in 2023; far above 2^53, so a float cannot hold them.
const FIRST_MSGID: u64 = 2_097_683_633_284_153_344;
/// Two simulators, or one started twice, begin at random places so many numbers apart that they do not meet.
const MSGID_PLACE: u64 = 1 << 20;
/// They grow by an odd step, so that the low digits are never zero for long.
const MSGID_STEP_MAX: u64 = 10_007;

/// What a token is asked for with, and what a login code is.
const CLIENT_CREDENTIAL: &str = "client_credential";
const AUTHORIZATION_CODE: &str = "authorization_code";

#[derive(Debug)]
pub(crate) struct World {
    config: SimulatorConfig,
    /// Mini programs, then official accounts.
    apps: Vec<App>,
    pub(crate) official: Official,
    pub(crate) cloud: Cloud,
    pub(crate) clock: Clock,
    pub(crate) switches: Switches,
    pub(crate) limits: Limits,
    pub(crate) tokens: Tokens,
    pub(crate) credits: Credits,
    pub(crate) faults: Faults,
    pub(crate) ledger: Ledger,
    pub(crate) calls: Calls,
    pub(crate) wecom: Wecom,
    pub(crate) callbacks: Callbacks,
    login_codes: LoginCodes,
    pub(crate) quota: Quota,
    under_way: HashMap<String, u32>,
    last_msgid: u64,
    pub(crate) rng: StdRng,
}

impl World {
    pub(crate) fn new(config: SimulatorConfig) -> Self {
        let mut rng: StdRng = config.seed.map_or_else(rand::make_rng, StdRng::seed_from_u64);
        Self {
            clock: Clock::new(config.time.clone()),
            switches: config.switches.clone(),
            limits: config.limits.clone(),
            tokens: Tokens::default(),
            credits: Credits::default(),
            faults: Faults::default(),
            ledger: Ledger::default(),
            calls: Calls::default(),
            apps: config.apps.iter().chain(&config.official_accounts).cloned().collect(),
            official: Official::new(&config.official_accounts),
            cloud: Cloud::new(&config.cloud_envs),
            wecom: Wecom::new(&config.wecom_apps, &config.robots),
            callbacks: Callbacks::default(),
            login_codes: LoginCodes::default(),
            quota: Quota::default(),
            under_way: HashMap::new(),
            last_msgid: FIRST_MSGID + u64::from(rng.random::<u32>()) * MSGID_PLACE,
            rng,
            config,
        }
    }

    /// As on the first day, except that sends still under way stay so and message numbers and sequence go on.
    pub(crate) fn reset(&mut self) {
        let fresh = Self::new(self.config.clone());
        let old = std::mem::replace(self, fresh);
        self.under_way = old.under_way;
        self.last_msgid = old.last_msgid;
        self.ledger = old.ledger;
        self.ledger.clear();
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn apps(&self) -> &[App] {
        &self.apps
    }

    /// Adds an app in the place of one with its appid.
    pub(crate) fn add_app(&mut self, app: App) {
        self.apps.retain(|known| known.appid != app.appid);
        self.apps.push(app);
    }

    /// Another app in the very place of one with its appid: the first app stays the first.
    pub(crate) fn put_app(&mut self, app: App) {
        if let Some(known) = self.apps.iter_mut().find(|known| known.appid == app.appid) {
            *known = app;
        }
    }

    /// Marks a send as under way in its lane; how many there are now.
    pub(crate) fn enter(&mut self, lane: &str) -> u32 {
        let count = self.under_way.entry(lane.to_owned()).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn leave(&mut self, lane: &str) {
        if let Some(count) = self.under_way.get_mut(lane) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(lane);
            }
        }
    }

    /// Decides and counts a call; the JSON answer.
    pub(crate) fn answer(&mut self, endpoint: Endpoint, request: &WireRequest, how: Circumstance) -> Value {
        match self.decide(endpoint, request, how) {
            Ok(body) => {
                self.calls.decided(endpoint, 0);
                body
            }
            Err(refusal) => self.refuse(endpoint, &refusal),
        }
    }

    /// Counts a refusal; its JSON answer.
    pub(crate) fn refuse(&mut self, endpoint: Endpoint, refusal: &Refusal) -> Value {
        self.calls.decided(endpoint, refusal.errcode());
        let now = self.now();
        refusal.body(endpoint.host(), now, &mut self.rng)
    }

    fn decide(
        &mut self,
        endpoint: Endpoint,
        request: &WireRequest,
        how: Circumstance,
    ) -> Result<Value, Refusal> {
        match endpoint {
            Endpoint::Token => self.token(request).map(|grant| grant_body(&grant)),
            Endpoint::StableToken => self.stable_token(request).map(|grant| grant_body(&grant)),
            Endpoint::SubscribeSend => self.send(request, how),
            Endpoint::CodeToSession => self.code_to_session(request),
            Endpoint::GetToken => self.gettoken(request),
            Endpoint::WecomSend => self.wecom_send(request, how),
            Endpoint::WecomRecall => self.wecom_recall(request),
            Endpoint::RobotSend => self.robot_send(request, how),
            Endpoint::TemplateSend => self.template_send(request, how),
            Endpoint::BizSend => self.bizsend(request, how),
            Endpoint::CloudFunction => self.invoke_cloud_function(request, how),
        }
    }

    fn token(&mut self, request: &WireRequest) -> Result<Grant, Refusal> {
        if !request.is_get {
            return Err(Refusal::RequireGet);
        }
        let parameter = |name| request.parameter(name);
        require_grant(parameter("grant_type"), CLIENT_CREDENTIAL)?;
        let appid = self.authenticate(parameter("appid"), parameter("secret"))?;
        let now = self.now();
        self.quota.take(&appid, Endpoint::Token, &self.limits, now)?;
        Ok(self.tokens.classic(&appid, now, &mut self.rng))
    }

    fn stable_token(&mut self, request: &WireRequest) -> Result<Grant, Refusal> {
        let body = request.json()?;
        let member = |key| text(&body, key).filter(|value| !value.is_empty());
        let force = match body.get("force_refresh") {
            None => false,
            Some(Value::Bool(force)) => *force,
            Some(_) => return Err(Refusal::BadJson),
        };
        require_grant(member("grant_type"), CLIENT_CREDENTIAL)?;
        let appid = self.authenticate(member("appid"), member("secret"))?;
        let now = self.now();
        self.quota.take(&appid, Endpoint::StableToken, &self.limits, now)?;
        Ok(if force {
            self.tokens.force_stable(&appid, &self.limits, now, &mut self.rng)
        } else {
            self.tokens.stable(&appid, now, &mut self.rng)
        })
    }

    /// Who a login code stands for.
    fn code_to_session(&mut self, request: &WireRequest) -> Result<Value, Refusal> {
        if !request.is_get {
            return Err(Refusal::RequireGet);
        }
        let parameter = |name| request.parameter(name);
        let appid = self.authenticate(parameter("appid"), parameter("secret"))?;
        let code = parameter("js_code").ok_or(Refusal::MissingCode)?;
        require_grant(parameter("grant_type"), AUTHORIZATION_CODE)?;
        let now = self.now();
        self.quota.take(&appid, Endpoint::CodeToSession, &self.limits, now)?;
        let openid = self.login_codes.redeem(&appid, code, now)?;
        Ok(json!({ "session_key": session_key(&mut self.rng), "openid": openid }))
    }

    /// A fresh login code, as `wx.login` gives one on a person's phone; the person is known to the app from now on.
    pub(crate) fn issue_login_code(&mut self, appid: &str, openid: &str) -> String {
        let now = self.now();
        self.credits.register(appid, openid);
        self.login_codes.issue(appid, openid, now, &mut self.rng)
    }

    /// The appid, once the caller has shown its secret.
    fn authenticate(&self, appid: Option<&str>, secret: Option<&str>) -> Result<String, Refusal> {
        let appid = appid.ok_or(Refusal::MissingAppid)?;
        let app = self.apps().iter().find(|app| app.appid == appid).ok_or(Refusal::InvalidAppid)?;
        let secret = secret.ok_or(Refusal::MissingSecret)?;
        if secret == app.secret { Ok(app.appid.clone()) } else { Err(Refusal::InvalidSecret) }
    }

    /// The app whose token a call carries.
    pub(crate) fn caller(&self, request: &WireRequest) -> Result<App, Refusal> {
        let token = request.parameter("access_token").ok_or(Refusal::MissingAccessToken)?;
        let appid = self.tokens.holder(token, Host::Wechat, self.now())?;
        let app = self.apps().iter().find(|app| app.appid == appid);
        app.cloned().ok_or(Refusal::InvalidCredential)
    }

    /// Whether a body may carry `\u` escapes is a switch.
    pub(crate) fn refuse_escapes(&self, request: &WireRequest) -> Result<(), Refusal> {
        let escaped = || request.body.windows(2).any(|pair| pair == br"\u");
        if self.switches.unicode_escapes_refused && escaped() { Err(Refusal::Plain(40033)) } else { Ok(()) }
    }
}

fn require_grant(grant_type: Option<&str>, wanted: &str) -> Result<(), Refusal> {
    if grant_type == Some(wanted) { Ok(()) } else { Err(Refusal::InvalidGrantType) }
}

fn grant_body(grant: &Grant) -> Value {
    json!({ "access_token": grant.access_token, "expires_in": grant.expires_in })
}
