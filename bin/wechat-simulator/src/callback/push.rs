//! The courier: carries parcels to the servers, one after the other, again when nobody answers.

use std::{io, time::Duration};

use reqwest::{Client, redirect::Policy, retry};

use super::{Package, Parcel, PushOutcome, event::xml_text};
use crate::{
    channel::Channel,
    handle::{ControlError, SimulatorHandle},
    ledger::{ClientSaw, Received},
    wecom::summary,
};

/// What of an answer is kept.
const ANSWER_MAX_CHARS: usize = 1000;
/// A platform pushes once and three times more; or three times in all.
const ATTEMPTS: u8 = 4;
const ATTEMPTS_IN_ALL_THREE: u8 = 3;
const OK: u16 = 200;

/// Carries parcels until the simulator stops.
pub(crate) async fn carry(handle: SimulatorHandle) {
    let mut signals = handle.signals().subscribe();
    let work = async {
        let client = match client(&handle) {
            Ok(client) => client,
            Err(error) => return tracing::error!(error = %error, "callbacks cannot be pushed"),
        };
        loop {
            if signals.wait_for(|signals| signals.callbacks > 0).await.is_err() {
                return;
            }
            while let Some(parcel) = handle.next_parcel() {
                deliver(&handle, &client, &parcel).await;
            }
        }
    };
    let mut stop = handle.signals().subscribe();
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|signals| signals.stopping) => {}
    }
}

fn client(handle: &SimulatorHandle) -> io::Result<Client> {
    // Fails when somebody in this process was first; then the provider is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let timeout = Duration::from_millis(handle.limits().callback_timeout_ms);
    let client = Client::builder().timeout(timeout).no_proxy().redirect(Policy::none()).retry(retry::never());
    client.build().map_err(io::Error::other)
}

async fn deliver(handle: &SimulatorHandle, client: &Client, parcel: &Parcel) {
    let switches = handle.switches();
    let attempts = if switches.callback_three_in_all { ATTEMPTS_IN_ALL_THREE } else { ATTEMPTS };
    let mut taken = false;
    for attempt in 1..=attempts {
        let patience = Duration::from_millis(handle.limits().callback_timeout_ms);
        let outcome = post(client, &parcel.package, patience).await;
        taken = match &outcome {
            PushOutcome::Answered { status, .. } => *status == OK || !switches.callback_non_200_retried,
            _ => false,
        };
        handle.tried(parcel, attempt, outcome);
        if taken {
            break;
        }
    }
    handle.finished(parcel, taken);
}

async fn post(client: &Client, package: &Package, patience: Duration) -> PushOutcome {
    let request = client.post(&package.url).query(&package.query).timeout(patience);
    let answer = request.header("content-type", package.content_type).body(package.body.clone()).send().await;
    let Ok(answer) = answer else { return PushOutcome::NoAnswer };
    let status = answer.status().as_u16();
    match answer.text().await {
        Ok(body) => PushOutcome::Answered { status, body: body.chars().take(ANSWER_MAX_CHARS).collect() },
        Err(_) => PushOutcome::NoAnswer,
    }
}

impl SimulatorHandle {
    fn next_parcel(&self) -> Option<Parcel> {
        let mut world = self.world();
        let now = world.now();
        let parcel = world.callbacks.next(now);
        self.callbacks_changed(&world);
        parcel
    }

    /// Writes an attempt down; a reply to a member is a message the member receives.
    fn tried(&self, parcel: &Parcel, attempt: u8, mut outcome: PushOutcome) {
        let mut world = self.world();
        let destination = world.callbacks.destinations.get(&parcel.app);
        if let PushOutcome::Answered { status: OK, body } = &mut outcome
            && let Some(reply) = destination.and_then(|destination| destination.reply(body))
        {
            if parcel.event == "text" {
                let reply = passive_reply(parcel, &reply, world.now());
                world.ledger.push(reply);
            }
            *body = reply;
        }
        world.callbacks.tried(parcel, attempt, outcome);
        self.ledger_changed(&world);
    }

    fn finished(&self, parcel: &Parcel, taken: bool) {
        let mut world = self.world();
        let (now, mark_fail_after) = (world.now(), world.limits.callback_mark_fail_after);
        world.callbacks.finished(parcel, taken, mark_fail_after, now);
        self.callbacks_changed(&world);
    }

    /// Asks an app's server as the platform does when its address is entered. Refused when there is none, or when it
    /// does not answer what the platform wants to the letter.
    pub async fn verify_callback(&self, app: &str) -> Result<(), ControlError> {
        let wrong = |words: &str| ControlError(words.to_owned());
        let (question, wanted) = {
            let mut world = self.world();
            let (now, world) = (world.now(), &mut *world);
            let destination = world.callbacks.destinations.get(app);
            destination.ok_or_else(|| wrong("the app has no callback"))?.question(now, &mut world.rng)
        };
        let client = client(self).map_err(|error| ControlError(error.to_string()))?;
        let answer = client.get(&question.url).query(&question.query).send().await;
        let answer = answer.map_err(|_| wrong("the server does not answer"))?;
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap_or_default();
        if status == OK && body == wanted {
            return Ok(());
        }
        Err(ControlError(format!("the server answered {status} and not the echostr")))
    }
}

fn passive_reply(parcel: &Parcel, reply: &str, now: chrono::DateTime<chrono::Utc>) -> Received {
    let words = xml_text(reply, "Content").unwrap_or_default();
    Received {
        seq: 0,
        time: now,
        channel: Channel::WecomReply,
        appid: parcel.app.clone(),
        openid: parcel.person.clone(),
        template_id: xml_text(reply, "MsgType").unwrap_or_default(),
        summary: summary(std::iter::once(&words)),
        data: [("content".to_owned(), words)].into(),
        page: None,
        miniprogram_state: None,
        lang: None,
        msgid: 0,
        message_id: String::new(),
        recalled_at: None,
        client_saw: ClientSaw::Accepted,
    }
}
