//! A running simulator and a sender, for the tests of this folder.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use wechat_simulator::{
    DEMO_APPID, DEMO_SECRET, DEMO_TEMPLATE, RunningSimulator, Simulator, SimulatorConfig, SimulatorHandle,
    TimeSource,
};

/// Long enough never to be reached by an answer that comes at all.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A simulator with a frozen clock, and a client.
pub(crate) struct Kit {
    pub(crate) simulator: RunningSimulator,
    pub(crate) client: Client,
}

/// When the frozen clock starts: noon in China.
pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T04:00:00Z".parse().unwrap()
}

impl Kit {
    pub(crate) async fn start() -> Self {
        // Fails when another test of this process was first; then the provider is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = SimulatorConfig { time: TimeSource::frozen(noon()), ..SimulatorConfig::default() };
        let simulator = Simulator::start_with(config, "127.0.0.1:0").await.unwrap();
        let client = Client::builder().timeout(CLIENT_TIMEOUT).no_proxy().build().unwrap();
        Self { simulator, client }
    }

    pub(crate) fn wechat(&self) -> &SimulatorHandle {
        self.simulator.handle()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.base_url())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        answer(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        answer(self.client.post(self.url(path)).json(body).send().await.unwrap()).await
    }

    /// The status and the JSON of a control call.
    pub(crate) async fn control(&self, path: &str, body: &str) -> (u16, Value) {
        let response = self.client.post(self.url(path)).body(body.to_owned()).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn stable_token(&self, force_refresh: bool) -> Value {
        let body = json!({
            "grant_type": "client_credential", "appid": DEMO_APPID, "secret": DEMO_SECRET,
            "force_refresh": force_refresh
        });
        self.post("/cgi-bin/stable_token", &body).await
    }

    pub(crate) async fn token(&self) -> String {
        text(&self.stable_token(false).await, "access_token")
    }

    /// A send of the demo message; the transport error is the caller's to judge.
    pub(crate) fn send(
        &self,
        token: &str,
        openid: &str,
    ) -> impl Future<Output = reqwest::Result<Response>> + use<> {
        self.send_body(token, &message(openid))
    }

    pub(crate) fn send_body(
        &self,
        token: &str,
        body: &Value,
    ) -> impl Future<Output = reqwest::Result<Response>> + use<> {
        let url = self.url("/cgi-bin/message/subscribe/send");
        self.client.post(url).query(&[("access_token", token)]).json(body).send()
    }

    /// The errcode of a send of the demo message.
    pub(crate) async fn errcode(&self, token: &str, openid: &str) -> i64 {
        answer(self.send(token, openid).await.unwrap()).await["errcode"].as_i64().unwrap()
    }
}

/// The demo message to one person.
pub(crate) fn message(openid: &str) -> Value {
    json!({
        "touser": openid,
        "template_id": DEMO_TEMPLATE,
        "page": "pages/lead?id=7",
        "data": {
            "thing1": { "value": "张三" },
            "phone_number2": { "value": "138****0000" },
            "thing3": { "value": "新线索分配给您" },
            "time4": { "value": "2026年3月1日 12:00" }
        }
    })
}

/// The JSON of an answer, which is HTTP 200 whatever it says.
pub(crate) async fn answer(response: Response) -> Value {
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

pub(crate) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}
