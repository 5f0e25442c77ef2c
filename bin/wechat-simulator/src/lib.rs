//! A faithful WeChat and WeCom server for tests, demos and integration work, with faults on order and a hidden
//! ledger of what people really received.
//!
//! A sender is pointed at its base URL and talks to it as to `api.weixin.qq.com` and `qyapi.weixin.qq.com`; whoever
//! runs the test looks at the ledger to see whether a message was lost or doubled, whatever the sender was told.
//! Rules and texts follow `wechat-apis.md`; its section numbers stand in the documentation.
//!
//! # In a test
//!
//! ```
//! use wechat_simulator::{DEMO_CORP, Endpoint, Fault, FaultRule, Simulator};
//!
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! let simulator = Simulator::start("127.0.0.1:0").await?;
//! let wechat = simulator.handle();
//! wechat.grant_credits("openid-of-li", 3)?;
//! wechat.add_wecom_user(DEMO_CORP, "LiSi");
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
//! `wechat-simulator --listen 127.0.0.1:3001`; `--help` has more, the README shows a public SDK at work with it.
//! `GET /` shows what each person received.
//!
//! # What it serves
//!
//! | route | behaviour |
//! | --- | --- |
//! | `GET /cgi-bin/token` | a new token on every call, the one before is good for 5 more minutes |
//! | `POST /cgi-bin/stable_token` | the same token with decreasing `expires_in`; forced refresh within its limits |
//! | `GET /sns/jscode2session` | the openid of a login code, once; 40029, 40163, 45011 |
//! | `POST /cgi-bin/message/subscribe/send` | token, quota, receiver, template, field rules, credit; then the ledger |
//! | `POST /cgi-bin/message/subscribe/bizsend` | the same from an official account |
//! | `POST /cgi-bin/message/template/send` | to followers; a `client_msg_id` reaches a person once in 10 minutes |
//! | `POST /tcb/invokecloudfunction` | the sample function: one answer per `idempotencyKey`, sends a subscribe message on |
//! | `GET /cgi-bin/gettoken` | WeCom: the same token per app until it ends; failing calls block the corp |
//! | `POST /cgi-bin/message/send` | WeCom app: `invaliduser`, duplicate check, 30 a minute and 1000 an hour, then silence |
//! | `POST /cgi-bin/message/recall` | within 24 hours, the app's own |
//! | `POST /cgi-bin/webhook/send` | group robot: 20 a minute, then 45009; no msgid, no deduplication |
//!
//! Every answer is HTTP 200 with JSON; a no carries `errcode` and an `errmsg` that ends as each platform's does:
//! ` rid: …`, or `, hint: […], from ip: …, more info at …`. What is undocumented is a switch ([`Switches`]), a quota
//! or a rate is a number ([`Limits`]).
//!
//! # What it pushes
//!
//! With [`SimulatorHandle::set_callback`] an app's server is told, as the platforms do: answered popups, templates
//! switched off, what became of a message, and what a member writes to a WeCom app. JSON in all its shapes or XML;
//! plain, compatible or encrypted; retried when nobody answers. [`CallbackDay`] is the order of the day: lost, doubled,
//! held and released in any order, ahead of the answer of the send, with wrong signatures; a replay is a call.
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
//! | `GET /__sim/ledger` | `?recipient=` (or `openid`), `channel=` | `{"received": [`[`Received`]`]}` |
//! | `DELETE /__sim/ledger` | | forgets `dropped` as well |
//! | `GET /__sim/dropped` | | `{"dropped": [`[`Dropped`]`]}` |
//! | `POST /__sim/credits` | [`CreditGrant`] | as GET |
//! | `GET /__sim/credits` | | `{"credits": [`[`Credit`]`]}` |
//! | `POST /__sim/popup` | [`PopupOrder`] | as GET credits |
//! | `POST /__sim/turn-off` | [`TurnOffOrder`] | as GET credits |
//! | `POST /__sim/login-codes` | [`LoginCodeOrder`] | `{"code": "…"}` |
//! | `POST /__sim/official/accounts` | `{"appid", "secret", "templates": ["ID=thing1,time2"]}` | `{"appid": "…"}` |
//! | `POST /__sim/official/followers` | [`FollowOrder`] | |
//! | `POST /__sim/cloud/users` | [`CloudUser`] | |
//! | `POST /__sim/wecom/apps` | [`WecomApp`] | `{"app": "corpid/agentid"}` |
//! | `GET /__sim/wecom/apps` | | `{"apps": [`[`WecomApp`]`]}` |
//! | `POST /__sim/wecom/users` | [`WecomUserOrder`] | |
//! | `POST /__sim/wecom/robots` | [`RobotOrder`] | |
//! | `POST /__sim/wecom/says` | [`WecomWords`] | |
//! | `POST /__sim/callbacks` | `{"app": "…", "target": `[`CallbackTarget`]`}`; no target: none | as GET |
//! | `GET /__sim/callbacks` | | `{"callbacks": {app: target}}` |
//! | `POST /__sim/callbacks/verify` | `{"app": "…"}` | 400 when the server does not answer as it must |
//! | `GET /__sim/callbacks/day`, `POST` | any members of [`CallbackDay`] | [`CallbackDay`] |
//! | `POST /__sim/callbacks/release` | `{"order": "queued"}` or `"reversed"` | |
//! | `POST /__sim/callbacks/replay` | | |
//! | `GET /__sim/callbacks/log`, `DELETE` | | `{"pushed": [`[`Pushed`]`], "held": 0}` |
//! | `POST /__sim/tokens/end` | `{"family": "wecom", "how": "expired"}`, both optional | |
//! | `POST /__sim/clock` | `{"advance_seconds": 7200}` | as GET |
//! | `GET /__sim/clock` | | `{"now": "…Z", "offset_seconds": 7200}` |
//! | `GET /__sim/calls`, `DELETE` | | [`Calls`] |
//! | `GET /__sim/switches`, `POST` | any members of [`Switches`] | [`Switches`] |
//! | `GET /__sim/limits`, `POST` | any members of [`Limits`], `null` for none | [`Limits`] |
//! | `POST /__sim/reset` | | back to the start; accounts, members and callbacks added since are gone |
//!
//! # What nobody knows (wechat-apis.md §0), and its switch
//!
//! | question | switch |
//! | --- | --- |
//! | order of the checks | [`Switches::validation_order`] |
//! | WeCom's answer to a suppressed duplicate; bytes or content | [`Switches::wecom_duplicate_answer`], [`Switches::wecom_duplicates_by_bytes`] |
//! | a `task_id` used again | [`Switches::wecom_reused_task_id_refused`] |
//! | does -1 have its effect | [`Switches::system_error_delivers`], or `process` of the fault rule |
//! | a minute's limit of `subscribe/send` | [`Limits::send_per_minute`] |
//! | how an emoji counts | [`Switches::emoji_counts_two`] |
//! | does a failed send use the credit | [`Switches::failed_send_consumes_credit`] |
//! | other `ErrorCode`s of a sent event | [`Switches::sent_event_errcode`] |
//! | three or four pushes | [`Switches::callback_three_in_all`] |
//!
//! # What a fault does to the message
//!
//! | kind | message | caller |
//! | --- | --- | --- |
//! | `hang` | when woken, if the caller is still there; with `process` in any case | waits until woken |
//! | `slow` | after `ms`, in any case | answer after `ms`; of a cloud function -604102 after [`Limits::cloud_timeout_ms`] |
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
mod listing;
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
pub use listing::Listed;
pub use simulator::{RunningSimulator, Simulator};
pub use switches::{Check, DuplicateAnswer, JsonShape, Limits, Switches, ValidationOrder};
pub use template::{
    App, DEMO_APPID, DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_SECRET, DEMO_OFFICIAL_TEMPLATE,
    DEMO_OFFICIAL_TEMPLATE_FIELDS, DEMO_SECRET, DEMO_TEMPLATE, DEMO_TEMPLATE_FIELDS, Template, TemplateError,
    TemplateField,
};
pub use tokens::{TokenEnd, TokenFamily};
pub use wecom::{DEMO_AGENT, DEMO_CORP, DEMO_ROBOT, DEMO_WECOM_SECRET, RobotState, WecomApp, WecomLicence};
