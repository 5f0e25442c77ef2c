//! Each channel alone, in one service: everybody has a route of one channel.

use chrono::TimeDelta;
use domain::notification::DeliveryState::{Accepted, Unknown};
use domain::notification::{Channel, Settlement};
use futures_util::future::join_all;
use serde_json::json;
use tests::kit::{Official, Person, Setup, TestApp, eventually, lead, phone};
use tests::scratch::Backend;
use wechat_simulator::{Endpoint, Fault, FaultRule};

use super::super::{AFTER_GRACE, Way, code, says};
use super::world::{Passing, World, until_told};

const OWN: &str = "/api/notifications/preferences";

/// After the first waits of the schedule.
const NEXT_ATTEMPT: TimeDelta = TimeDelta::seconds(40);

/// Leads that everybody in a crowd gains.
const CROWD: usize = 4;
/// "Somebody else is being sent to."
const OVERLAPPING: i64 = 43108;

/// A service, and somebody for each channel.
pub(super) struct Cast {
    pub(super) app: TestApp,
    pub(super) people: Vec<(Way, Person)>,
}

impl Cast {
    pub(super) async fn start(on: Backend, world: &World, official: Official) -> Self {
        let service_account = match official {
            Official::Template => Way::OfficialTemplate,
            Official::Subscribe => Way::OfficialSubscribe,
        };
        let ways = [Way::WecomApp, Way::WecomRobot, Way::Subscribe, Way::Cloud, service_account];
        let channels = ways.map(Way::channel);
        let app = world.start(on, Setup { official, ..Setup::through(&channels) }).await;
        let hired = app.hire(ways.len()).await;
        for (person, way) in hired.iter().zip(ways) {
            only_through(&app, person, &[way.channel()]).await;
        }
        app.settle().await;
        Self { app, people: ways.into_iter().zip(hired).collect() }
    }

    /// A lead for everybody; the first call of each channel goes wrong.
    async fn leads(&self, n: usize, fault: Option<&Fault>) {
        for (at, (way, person)) in self.people.iter().enumerate() {
            if let Some(fault) = fault {
                let rule = FaultRule::once(way.endpoint(), fault.clone());
                self.app.wechat().add_fault(rule).expect("a rule");
            }
            festive_lead(&self.app, person, n, 100 * at + n).await;
        }
        self.app.settle().await;
    }
}

/// Whoever gains a lead is told of it through these channels only.
pub(super) async fn only_through(app: &TestApp, person: &Person, channels: &[Channel]) {
    let document = json!({ "routes": { "CUSTOMER_ASSIGNED": channels } });
    let reply = app.put(OWN, &document).by(person).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// A lead of whom little is known and whose name is as long as no field can show, if an emoji counts two.
async fn festive_lead(app: &TestApp, owner: &Person, n: usize, number: usize) {
    let mut body = lead(&format!("客户{n}{}", "🎉".repeat(12)), &phone(number));
    body["assignedTo"] = json!(owner.id);
    for unknown in ["address", "remarks", "serviceCategory"] {
        body.as_object_mut().expect("an object").remove(unknown);
    }
    let reply = app.post("/api/customers", &body).by(&app.team.manager).send().await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

pub(super) async fn play(on: Backend, world: &World, official: Official) {
    let cast = Cast::start(on, world, official).await;
    cast.leads(1, None).await;
    for (way, person) in &cast.people {
        is_told(&cast.app, *way, person, (1, 1), 1).await;
        let received = cast.app.received(person, way.channel());
        assert!(says(&received[0], "客户1"), "{way:?}: {received:?}");
    }

    cast.leads(2, Some(&Fault::ResetAfter {})).await;
    is_concluded(&cast, 2, 1).await;

    // Nobody knows whether "busy" has an effect; where it is not said again, that is for somebody else to find out.
    cast.leads(3, Some(&code(-1))).await;
    is_concluded(&cast, 3, usize::from(world.switches.system_error_delivers)).await;
    cast.app.is_reconciled().await;
    cast.app.finish().await;
}

/// Time passes, and the last lead is told once where the provider recognises a repetition; elsewhere it is unknown, and
/// so many messages came of it.
async fn is_concluded(cast: &Cast, leads: usize, came: usize) {
    let app = &cast.app;
    app.leap(NEXT_ATTEMPT);
    for (way, person) in &cast.people {
        if way.recognises() {
            eventually("the message is accepted", async || {
                let rows = app.sendings_through(person, way.channel()).await;
                rows[0].accepted_at.is_some().then_some(())
            })
            .await;
            is_told(app, *way, person, (leads, leads), 2).await;
        }
    }
    app.advance(AFTER_GRACE);
    app.settle().await;
    for (way, person) in cast.people.iter().filter(|(way, _)| !way.recognises()) {
        let rows = app.sendings_through(person, way.channel()).await;
        assert_eq!(rows.len(), leads, "{way:?}");
        assert_eq!((rows[0].state, rows[0].attempts), (Unknown, 1), "{way:?}: {:?}", rows[0]);
        assert_eq!(rows[0].settlement, Some(Settlement::Closed), "{way:?}: it stays listed");
        let named = app.received(person, way.channel());
        let named = named.iter().filter(|one| says(one, &format!("客户{leads}"))).count();
        assert_eq!(named, came, "{way:?}: {leads}");
        assert_eq!(app.told(person).await.len(), leads, "{way:?}: the inbox has it");
    }
}

/// So many leads, so many messages, and the last one took so many attempts.
async fn is_told(app: &TestApp, way: Way, person: &Person, (leads, messages): (usize, usize), attempts: i64) {
    let rows = app.sendings_through(person, way.channel()).await;
    assert_eq!(rows.len(), leads, "{way:?}");
    assert_eq!((rows[0].state, rows[0].attempts), (Accepted, attempts), "{way:?}: {:?}", rows[0]);
    assert_eq!(app.received(person, way.channel()).len(), messages, "{way:?}");
}

pub(super) async fn crowd(on: Backend, world: &World) {
    for official in [Official::Template, Official::Subscribe] {
        Box::pin(crowd_with(on, world, official)).await;
    }
}

async fn crowd_with(on: Backend, world: &World, official: Official) {
    let cast = Cast::start(on, world, official).await;
    let (app, team) = (&cast.app, cast.app.team.clone());
    // WeCom comes first in everybody else's route.
    let others = [&team.employee, &team.colleague, &team.dispatch].map(|one| (Way::WecomApp, one.clone()));
    let all: Vec<&(Way, Person)> = cast.people.iter().chain(&others).collect();
    let leads = all.iter().enumerate().flat_map(|(at, (_, person))| {
        (0..CROWD).map(move |n| app.lead_of(&app.team.manager, person, 100 * at + n))
    });
    join_all(leads).await;
    let whom: Vec<_> = all.iter().map(|(way, person)| (person.clone(), way.channel(), CROWD)).collect();
    until_told(app, &whom, Passing::Seconds).await;
    for endpoint in [Endpoint::SubscribeSend, Endpoint::BizSend] {
        let answers = app.wechat().calls().of(endpoint).errcodes;
        assert_eq!(answers.get(&OVERLAPPING), None, "one after the other: {answers:?}");
    }
    app.settle().await;
    app.is_reconciled().await;
    cast.app.finish().await;
}
