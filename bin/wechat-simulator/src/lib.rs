//! A faithful WeChat server for tests, demos and integration work, with faults on order and a hidden ledger of
//! what people really received.
//!
//! A sender is pointed at its base URL and talks to it as to `api.weixin.qq.com`; whoever runs the test looks at
//! the ledger to see whether a message was lost or doubled, whatever the sender was told.
//!
//! # In a test
//!
//! ```
//! use wechat_simulator::{Endpoint, Fault, FaultRule, Simulator};
//!
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! let simulator = Simulator::start("127.0.0.1:0").await?;
//! let wechat = simulator.handle();
//! wechat.grant_credits("openid-of-li", 3)?;
//! wechat.add_fault(FaultRule::once(Endpoint::SubscribeSend, Fault::ResetAfter {}))?;
//! // … let the sender run against `simulator.base_url()` …
//! assert_eq!(wechat.received_by("openid-of-li").len(), 0);
//! simulator.stop().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(story()).unwrap();
//! ```
//!
//! # As a program
//!
//! `wechat-simulator --listen 127.0.0.1:3001`; `--help` has more. `GET /` shows what each person received.
//!
//! # What it serves
//!
//! | route | behaviour |
//! | --- | --- |
//! | `GET /cgi-bin/token` | a new token on every call, the one before is good for 5 more minutes |
//! | `POST /cgi-bin/stable_token` | the same token with decreasing `expires_in`; forced refresh within its limits |
//! | `POST /cgi-bin/message/subscribe/send` | token, quota, receiver, template, field rules, credit; then the ledger |
//! | `GET /sns/jscode2session` | the openid of a login code, once; 40029, 40163, 45011 |
//!
//! Every answer is HTTP 200 with JSON; a no carries `errcode` and an `errmsg` that ends in ` rid: …`. What WeChat
//! leaves undocumented is a switch ([`Switches`]), a quota is a number ([`Limits`]).
//!
//! # Controls
//!
//! A program in the same process holds a [`SimulatorHandle`]; others use `/__sim`. Bodies are strict: an unknown
//! key gives 400 `{"error": "…"}`.
//!
//! | route | body or query | answer |
//! | --- | --- | --- |
//! | `POST /__sim/faults` | [`FaultRule`] | `{"id": 1}` |
//! | `GET /__sim/faults` | | `{"faults": [`[`ActiveFault`]`], "waiting": 0}` |
//! | `DELETE /__sim/faults` | | deletes all, wakes what hangs |
//! | `POST /__sim/wake` | | wakes what hangs now, the rules stay |
//! | `GET /__sim/ledger` | `?openid=` | `{"received": [`[`Received`]`]}` |
//! | `DELETE /__sim/ledger` | | |
//! | `POST /__sim/credits` | [`CreditGrant`] | as GET |
//! | `GET /__sim/credits` | | `{"credits": [`[`Credit`]`]}` |
//! | `POST /__sim/login-codes` | [`LoginCodeOrder`] | `{"code": "…"}` |
//! | `POST /__sim/clock` | `{"advance_seconds": 7200}` | as GET |
//! | `GET /__sim/clock` | | `{"now": "…Z", "offset_seconds": 7200}` |
//! | `GET /__sim/calls`, `DELETE` | | [`Calls`] |
//! | `GET /__sim/switches`, `POST` | any members of [`Switches`] | [`Switches`] |
//! | `GET /__sim/limits`, `POST` | any members of [`Limits`], `null` for none | [`Limits`] |
//! | `POST /__sim/reset` | | back to the start |
//!
//! # What a fault does to the message
//!
//! | kind | message | caller |
//! | --- | --- | --- |
//! | `hang` | when woken, if the caller is still there; with `process` in any case | waits until woken |
//! | `slow` | after `ms`, in any case | answer after `ms` |
//! | `timeout_after_processing` | at once | answer after `ms`, or when woken |
//! | `reset_before` | none | TCP reset |
//! | `reset_after` | at once | TCP reset |
//! | `http_502_html`, `http_4xx`, `errcode` | none; with `process` at once | that answer |
//! | `truncated_json` | at once; with `process: false` none | half a JSON text |
//! | `expire_token` | as usual, which ends in 40001 or 42001 | as usual |
//!
//! A caller that hangs up while its request hangs is gone: nothing is processed for it later unless the fault
//! says `process`. A stop of the simulator resets what hangs, unprocessed.
//!
//! Waiting times of faults are real; everything else (token lives, quota windows, times in the ledger) follows
//! the virtual clock.

mod callback;
mod calls;
mod channel;
mod clock;
mod cloud;
mod config;
mod credits;
mod errcode;
mod faults;
mod field;
mod handle;
mod http;
mod ledger;
mod login;
mod official;
mod quota;
mod rates;
mod simulator;
mod subscribe;
mod switches;
mod template;
mod tokens;
mod wecom;
mod world;

pub use callback::{
    CallbackDay, CallbackFormat, CallbackMode, CallbackTarget, PushOutcome, Pushed, ReleaseOrder,
};
pub use calls::{Calls, Endpoint, EndpointCalls};
pub use channel::Channel;
pub use clock::TimeSource;
pub use cloud::{CLOUD_FUNCTION, DEMO_CLOUD_ENV};
pub use config::SimulatorConfig;
pub use credits::Credit;
pub use faults::{ActiveFault, Fault, FaultRule, Forever, Times};
pub use field::FieldKind;
pub use handle::{
    CloudUser, ControlError, CreditGrant, FollowOrder, Following, LoginCodeOrder, PopupChoice, PopupOrder,
    RobotOrder, SimulatorHandle, TurnOffOrder, WecomUserOrder, WecomWords,
};
pub use ledger::{ClientSaw, DropReason, Dropped, Received};
pub use simulator::{RunningSimulator, Simulator};
pub use switches::{Check, DuplicateAnswer, JsonShape, Limits, Switches, ValidationOrder};
pub use template::{
    App, DEMO_APPID, DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_SECRET, DEMO_OFFICIAL_TEMPLATE,
    DEMO_OFFICIAL_TEMPLATE_FIELDS, DEMO_SECRET, DEMO_TEMPLATE, DEMO_TEMPLATE_FIELDS, Template, TemplateError,
    TemplateField,
};
pub use tokens::{TokenEnd, TokenFamily};
pub use wecom::{DEMO_AGENT, DEMO_CORP, DEMO_ROBOT, DEMO_WECOM_SECRET, RobotState, WecomApp, WecomLicence};
