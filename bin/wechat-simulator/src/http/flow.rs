//! One call from arrival to answer: pick the fault, wait as it says, decide, and answer or fail to.
//!
//! When a caller hangs up, the server drops the handler where it waits. Therefore what must happen all the same
//! (`slow`, `hang` with `process`) runs in a task of its own, and what must not (`hang`) runs in the handler.
//! A send is under way, for the rule of one send at a time per person, from its arrival until it is decided or
//! its handler is dropped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::connection::ConnectionReset;
use crate::{
    calls::Endpoint,
    errcode::Refusal,
    faults::Fault,
    handle::SimulatorHandle,
    ledger::ClientSaw,
    world::{Circumstance, WireRequest},
};

const JSON: &str = "application/json; charset=UTF-8";
/// Where a truncated answer ends: inside the first member of any answer.
const TRUNCATED_BYTES: usize = 12;
/// "Busy, try again": nobody knows whether it has an effect.
const SYSTEM_ERROR: i64 = -1;
/// What the cloud says when a function takes too long.
const CLOUD_TIMEOUT: i64 = -604_102;
/// The page an overloaded proxy gives.
const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// The simulator stops; nobody is served any more.
struct Stopping;

pub(super) async fn serve(
    handle: SimulatorHandle,
    endpoint: Endpoint,
    request: WireRequest,
    connection: ConnectionReset,
) -> Response {
    let events = handle.clone();
    let (call, fault) = Call::arrive(handle, endpoint, request);
    let outcome = match fault {
        Some(fault) => play(fault, call, &connection).await,
        None => usual(call).await.map(|answer| whole(&answer)),
    };
    let outcome = match outcome {
        Ok(answer) if endpoint.sends() => events_first(&events).await.map(|()| answer),
        outcome => outcome,
    };
    outcome.unwrap_or_else(|Stopping| reset(&connection))
}

/// Waits for the events a send caused, if that is the order of the day.
async fn events_first(handle: &SimulatorHandle) -> Result<(), Stopping> {
    if !handle.callback_day().before_answer {
        return Ok(());
    }
    let mut signals = handle.signals().subscribe();
    match signals.wait_for(|signals| signals.stopping || signals.callbacks == 0).await {
        Ok(signals) if !signals.stopping => Ok(()),
        _ => Err(Stopping),
    }
}

/// A call that goes as usual; a send takes the time the switch says, unless it is refused for overlapping.
async fn usual(call: Call) -> Result<Value, Stopping> {
    let switches = call.waiter.handle.switches();
    let refused = call.endpoint.one_at_a_time() && call.under_way > 1 && switches.concurrent_sends_refused;
    if !call.endpoint.sends() || switches.send_takes_ms == 0 || refused {
        return Ok(call.decide(ClientSaw::Accepted));
    }
    slow(call, switches.send_takes_ms).await
}

async fn play(fault: Fault, call: Call, connection: &ConnectionReset) -> Result<Response, Stopping> {
    let answer = match fault {
        Fault::Hang { process: false } => {
            call.waiter.woken().await?;
            // Let the server notice first that the caller has gone, if both happened at once.
            tokio::task::yield_now().await;
            whole(&call.decide(ClientSaw::Accepted))
        }
        Fault::Hang { process: true } => {
            let waiter = call.waiter.clone();
            whole(&whether_or_not_present(call, async move { waiter.woken().await }).await?)
        }
        Fault::Slow { ms } if call.endpoint == Endpoint::CloudFunction => given_up(call, ms).await?,
        Fault::Slow { ms } => whole(&slow(call, ms).await?),
        Fault::TimeoutAfterProcessing { ms } => {
            let waiter = call.waiter.clone();
            let answer = call.decide(if ms.is_some() { ClientSaw::LateAnswer } else { ClientSaw::NoAnswer });
            match ms {
                Some(ms) => waiter.pause(ms).await?,
                None => waiter.woken().await?,
            }
            whole(&answer)
        }
        Fault::ResetBefore {} => reset(connection),
        Fault::ResetAfter {} => {
            call.decide(ClientSaw::ConnectionReset);
            reset(connection)
        }
        Fault::Http502Html { process } => {
            call.decide_if(process, ClientSaw::HttpError);
            (StatusCode::BAD_GATEWAY, Html(BAD_GATEWAY)).into_response()
        }
        Fault::Http4xx { status, process } => {
            call.decide_if(process, ClientSaw::HttpError);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, "refused by a gateway\n").into_response()
        }
        Fault::TruncatedJson { process } => {
            let answer = call.decide_if(process, ClientSaw::TruncatedJson);
            let mut text = answer.unwrap_or_else(|| json!({ "errcode": 0, "errmsg": "ok" })).to_string();
            text.truncate(TRUNCATED_BYTES);
            ([(CONTENT_TYPE, JSON)], text).into_response()
        }
        Fault::Errcode { errcode, errmsg, process } => {
            let (handle, endpoint) = (call.waiter.handle.clone(), call.endpoint);
            let hidden = errcode == SYSTEM_ERROR && handle.switches().system_error_delivers;
            call.decide_if(process || hidden, ClientSaw::Errcode);
            whole(&handle.world().refuse(endpoint, &Refusal::Injected { errcode, errmsg }))
        }
        Fault::ExpireToken { family, how } => {
            call.waiter.handle.end_tokens(family, how);
            whole(&usual(call).await?)
        }
    };
    Ok(answer)
}

/// A cloud function that takes longer than the cloud waits: the caller is told so, the function goes on.
async fn given_up(call: Call, ms: u64) -> Result<Response, Stopping> {
    let patience = call.waiter.handle.limits().cloud_timeout_ms;
    if ms <= patience {
        return Ok(whole(&slow(call, ms).await?));
    }
    let waiter = call.waiter.clone();
    tokio::spawn(async move {
        if call.waiter.clone().pause(ms).await.is_ok() {
            call.decide(ClientSaw::Errcode);
        }
    });
    waiter.pause(patience).await?;
    Ok(whole(&waiter.handle.world().refuse(Endpoint::CloudFunction, &Refusal::Plain(CLOUD_TIMEOUT))))
}

async fn slow(call: Call, ms: u64) -> Result<Value, Stopping> {
    let waiter = call.waiter.clone();
    whether_or_not_present(call, async move { waiter.pause(ms).await }).await
}

/// Waits and decides in a task of its own, which a caller that hangs up does not end.
async fn whether_or_not_present(
    call: Call,
    wait: impl Future<Output = Result<(), Stopping>> + Send + 'static,
) -> Result<Value, Stopping> {
    let present = Present::default();
    let gone = Arc::clone(&present.gone);
    let decided = tokio::spawn(async move {
        wait.await?;
        let caller_gone = gone.load(Ordering::SeqCst);
        Ok(call.decide(if caller_gone { ClientSaw::CallerGone } else { ClientSaw::Accepted }))
    });
    decided.await.unwrap_or(Err(Stopping))
}

/// A call that has arrived and is not decided yet.
struct Call {
    endpoint: Endpoint,
    request: WireRequest,
    /// Calls in its lane when it arrived, itself included.
    under_way: u32,
    waiter: Waiter,
    /// Ends with the call, also when its handler is dropped.
    _lane: Option<Lane>,
}

impl Call {
    /// Counts the call, takes its fault, and marks a send as under way, in one step.
    fn arrive(handle: SimulatorHandle, endpoint: Endpoint, request: WireRequest) -> (Self, Option<Fault>) {
        let (receivers, lane) = (request.receivers(endpoint), request.lane(endpoint));
        let mut world = handle.world();
        world.calls.arrived(endpoint);
        let fault = world.faults.take(endpoint, &receivers);
        if let Some(fault) = &fault {
            world.calls.faulted(endpoint, fault.kind());
        }
        let under_way = lane.as_deref().map_or(1, |lane| world.enter(lane));
        let wakes = handle.signals().borrow().wakes;
        drop(world);
        let lane = lane.map(|name| Lane { handle: handle.clone(), name });
        let waiter = Waiter { handle, wakes };
        (Self { endpoint, request, under_way, waiter, _lane: lane }, fault)
    }

    fn decide(self, client_saw: ClientSaw) -> Value {
        let handle = &self.waiter.handle;
        let mut world = handle.world();
        let how = Circumstance { client_saw, under_way: self.under_way };
        let answer = world.answer(self.endpoint, &self.request, how);
        handle.ledger_changed(&world);
        drop(world); // before `self`, whose end takes the lock again
        answer
    }

    fn decide_if(self, process: bool, client_saw: ClientSaw) -> Option<Value> {
        process.then(|| self.decide(client_saw))
    }
}

/// A send under way; its end takes the lock.
struct Lane {
    handle: SimulatorHandle,
    name: String,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.handle.world().leave(&self.name);
    }
}

/// Waits until woken, or for a while; both end when the simulator stops.
#[derive(Clone)]
struct Waiter {
    handle: SimulatorHandle,
    /// Wakes before the call arrived; they do not count.
    wakes: u64,
}

impl Waiter {
    async fn woken(&self) -> Result<(), Stopping> {
        let _waiting = Waiting::begin(&self.handle);
        let mut signals = self.handle.signals().subscribe();
        match signals.wait_for(|signals| signals.stopping || signals.wakes > self.wakes).await {
            Ok(signals) if !signals.stopping => Ok(()),
            _ => Err(Stopping),
        }
    }

    async fn pause(&self, ms: u64) -> Result<(), Stopping> {
        let mut signals = self.handle.signals().subscribe();
        match timeout(Duration::from_millis(ms), signals.wait_for(|signals| signals.stopping)).await {
            Ok(_) => Err(Stopping),
            Err(_elapsed) => Ok(()),
        }
    }
}

/// Counts a request that waits to be woken.
struct Waiting<'a>(&'a SimulatorHandle);

impl<'a> Waiting<'a> {
    fn begin(handle: &'a SimulatorHandle) -> Self {
        handle.signals().send_modify(|signals| signals.waiting += 1);
        Self(handle)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.signals().send_modify(|signals| signals.waiting -= 1);
    }
}

/// Lives in the handler, which ends early when the caller hangs up.
#[derive(Default)]
struct Present {
    gone: Arc<AtomicBool>,
}

impl Drop for Present {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
    }
}

fn whole(answer: &Value) -> Response {
    ([(CONTENT_TYPE, JSON)], answer.to_string()).into_response()
}

fn reset(connection: &ConnectionReset) -> Response {
    connection.arm();
    StatusCode::INTERNAL_SERVER_ERROR.into_response() // never written
}
