//! A client and a dispatcher for every configured channel. Apps that are the same share their access token.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::notification::Channel;
use infrastructure::dispatcher::{self, Dispatcher, Provider};
use infrastructure::provider_http::{ClientError, Timeouts};
use infrastructure::wechat::{TokenStore, WechatCloud, WechatOfficial, WechatSettings, WechatSubscribe};
use infrastructure::wecom::sealed::StoredSecret;
use infrastructure::wecom::{RobotSettings, WecomApp, WecomRobot, WecomSettings};

use super::{Ports, StartError, Store};
use crate::config::{ProviderSettings, Settings};
use crate::lifecycle::STOP_PATIENCE;
use crate::metrics::Metrics;

/// A channel and who sends through it.
pub type ChannelDispatcher = (Channel, Arc<Dispatcher>);

/// One dispatcher for every configured channel.
pub(crate) fn dispatchers(
    store: &Store,
    settings: &Settings,
    ports: &Ports,
    metrics: &Arc<Metrics>,
) -> Result<Vec<ChannelDispatcher>, StartError> {
    let options = dispatcher::Options {
        schedule: settings.delivery.schedule.clone(),
        // The process itself waits a little longer, to write down how the last sends ended.
        stop_patience: STOP_PATIENCE / 2,
        observer: metrics.clone(),
        ..dispatcher::Options::default()
    };
    let dispatcher = |provider: Arc<dyn Provider>| {
        let dice = dispatcher::Ports {
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
            randomness: ports.randomness.clone(),
        };
        let channel = provider.channel();
        (channel, Arc::new(Dispatcher::new(store.bus.clone(), provider, dice, options.clone())))
    };
    let providers = providers(store, settings, ports)?;
    Ok(providers.into_iter().map(dispatcher).collect())
}

/// A client for every configured channel.
pub(crate) fn providers(
    store: &Store,
    settings: &Settings,
    ports: &Ports,
) -> Result<Vec<Arc<dyn Provider>>, ClientError> {
    let clock = || ports.clock.clone();
    let mut tokens = WechatTokens { store, ports, by_app: BTreeMap::new() };
    let mut providers: Vec<Arc<dyn Provider>> = Vec::new();
    if let Some(set) = &settings.wechat_subscribe {
        let wechat = wechat(set, &set.channel.app);
        let tokens = tokens.of(&wechat)?;
        providers.push(Arc::new(WechatSubscribe::new(wechat, tokens, clock())?));
    }
    if let Some(set) = &settings.wechat_cloud {
        let wechat = wechat(set, &set.channel.app);
        let tokens = tokens.of(&wechat)?;
        providers.push(Arc::new(WechatCloud::new(wechat, &set.channel, tokens, clock())?));
    }
    if let Some(set) = &settings.wechat_official {
        let wechat = wechat(set, &set.channel.app);
        let tokens = tokens.of(&wechat)?;
        providers.push(Arc::new(WechatOfficial::new(wechat, set.channel.kind, tokens, clock())?));
    }
    if let Some(set) = &settings.wecom_app {
        let wecom = WecomSettings {
            base_url: set.base_url.clone(),
            corp: set.channel.corp.clone(),
            app: set.channel.app(),
            secret: set.secret.clone(),
            timeouts: timeouts(set),
        };
        let db = store.db().clone();
        let secrets = StoredSecret::new(store.bus.clone(), set.secret.clone());
        let tokens = TokenStore::of_wecom_with(db, wecom.clone(), secrets, clock(), ports.ids.as_ref())?;
        providers.push(Arc::new(WecomApp::new(wecom, Arc::new(tokens), clock())?));
    }
    if let Some(set) = &settings.wecom_robot {
        let robot = RobotSettings {
            base_url: set.base_url.clone(),
            name: set.channel.name.clone(),
            key: set.secret.clone(),
            timeouts: timeouts(set),
        };
        providers.push(Arc::new(WecomRobot::new(robot, clock())?));
    }
    Ok(providers)
}

/// One token store for each of WeChat's apps: two of them for the same app would each ask when a token ends.
struct WechatTokens<'s> {
    store: &'s Store,
    ports: &'s Ports,
    by_app: BTreeMap<String, Arc<TokenStore>>,
}

impl WechatTokens<'_> {
    fn of(&mut self, app: &WechatSettings) -> Result<Arc<TokenStore>, ClientError> {
        if let Some(known) = self.by_app.get(&app.app) {
            return Ok(Arc::clone(known));
        }
        let (db, clock) = (self.store.db().clone(), self.ports.clock.clone());
        let tokens = Arc::new(TokenStore::new(db, app.clone(), clock, self.ports.ids.as_ref())?);
        self.by_app.insert(app.app.clone(), Arc::clone(&tokens));
        Ok(tokens)
    }
}

fn wechat<C>(set: &ProviderSettings<C>, app: &str) -> WechatSettings {
    WechatSettings {
        base_url: set.base_url.clone(),
        app: app.to_owned(),
        secret: set.secret.clone(),
        timeouts: timeouts(set),
    }
}

fn timeouts<C>(set: &ProviderSettings<C>) -> Timeouts {
    Timeouts { connect: set.connect_timeout, total: set.request_timeout }
}
