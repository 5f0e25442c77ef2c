//! Four people who create leads and assign them, each lead by one of them, until every answer has come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail};
use domain::{CustomerId, StaffId};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::client::{Answer, Api};
use super::plan::{Assignment, CLIENTS, Lead, Plan, Route};
use super::seats::Seats;
use super::service::Address;

/// What the clients were told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// The owner in the last successful answer about each lead.
    pub owners: BTreeMap<CustomerId, StaffId>,
    /// Requests that were answered.
    pub requests: usize,
    /// Those that needed more than one attempt.
    pub retried: usize,
    /// Those whose first attempt had arrived although its answer had not.
    pub replayed: usize,
}

/// The clients at work.
#[derive(Debug)]
pub struct Load {
    clients: JoinSet<Result<Answers, GaveUp>>,
    permits: Arc<Semaphore>,
    answered: watch::Receiver<usize>,
    failure: Arc<Mutex<Option<anyhow::Error>>>,
}

/// A client stopped; the first one that had a reason left it in [`Load::failure`].
#[derive(Debug)]
struct GaveUp;

impl Load {
    /// Logs the clients in. They ask for nothing before [`Load::permit`].
    pub async fn start(address: &Address, seats: &Seats, plan: &Arc<Plan>) -> Result<Self> {
        let permits = Arc::new(Semaphore::new(0));
        let (tell, answered) = watch::channel(0);
        let tell = Arc::new(tell);
        let failure = Arc::default();
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let clerk = seats.clerk(number);
            let client = Client {
                number,
                api: Api::login(address, &clerk.username).await?,
                clerk: clerk.id,
                plan: Arc::clone(plan),
                permits: Arc::clone(&permits),
                answered: Arc::clone(&tell),
                answers: Answers::default(),
            };
            clients.spawn(client.work_or_give_up(Arc::clone(&permits), Arc::clone(&failure)));
        }
        Ok(Self { clients, permits, answered, failure })
    }

    /// Lets the clients begin `requests` more requests.
    pub fn permit(&self, requests: usize) {
        self.permits.add_permits(requests);
    }

    /// Returns once `count` requests were answered; an error when a client stopped before.
    pub async fn until_answered(&self, count: usize) -> Result<()> {
        let mut answered = self.answered.clone();
        match answered.wait_for(|answered| *answered >= count).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.failure()),
        }
    }

    /// Waits for the clients, who must be permitted everything by now.
    pub async fn finish(mut self) -> Result<Answers> {
        let mut all = Answers::default();
        while let Some(answers) = self.clients.join_next().await {
            let Ok(answers) = answers.context("a client panicked")? else { return Err(self.failure()) };
            all.requests += answers.requests;
            all.retried += answers.retried;
            all.replayed += answers.replayed;
            all.owners.extend(answers.owners);
        }
        Ok(all)
    }

    /// Why the first client that stopped did so.
    pub fn failure(&self) -> anyhow::Error {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.unwrap_or_else(|| anyhow!("the clients were stopped"))
    }
}

struct Client {
    number: usize,
    api: Api,
    clerk: StaffId,
    plan: Arc<Plan>,
    permits: Arc<Semaphore>,
    answered: Arc<watch::Sender<usize>>,
    answers: Answers,
}

impl Client {
    /// One client's failure ends the work of all: the run waits for all of their answers.
    async fn work_or_give_up(
        self,
        permits: Arc<Semaphore>,
        failure: Arc<Mutex<Option<anyhow::Error>>>,
    ) -> Result<Answers, GaveUp> {
        self.work().await.map_err(|error| {
            permits.close();
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            GaveUp
        })
    }

    async fn work(mut self) -> Result<Answers> {
        let plan = Arc::clone(&self.plan);
        for (number, lead) in plan.leads.iter().enumerate().skip(self.number).step_by(CLIENTS) {
            let id = self.create(number, lead).await?;
            for (turn, assignment) in lead.owners.iter().enumerate() {
                self.assign(number, turn, id, *assignment).await?;
            }
        }
        Ok(self.answers)
    }

    async fn create(&mut self, number: usize, lead: &Lead) -> Result<CustomerId> {
        let mut body = json!({
            "name": lead.name,
            "phone": lead.phone,
            "leadSource": "抖音",
            "contractStatus": "待定",
            "leadLevel": "A类",
        });
        if let Some(owner) = lead.first_owner {
            body["assignedTo"] = json!(owner);
        }
        let data = self.ask(Method::POST, "/api/customers", &format!("create-{number}"), &body).await?;
        let id = id_of(&data)?;
        self.answers.owners.insert(id, lead.first_owner.unwrap_or(self.clerk));
        Ok(id)
    }

    async fn assign(&mut self, lead: usize, turn: usize, id: CustomerId, to: Assignment) -> Result<()> {
        let path = match to.route {
            Route::Web => format!("/api/customers/{id}/assign"),
            Route::MiniProgram => format!("/api/customers/miniprogram/{id}/assign"),
        };
        let body = json!({ "assignedTo": to.to });
        let data = self.ask(Method::PATCH, &path, &format!("assign-{lead}-{turn}"), &body).await?;
        let told = &data["notificationData"]["assignedToId"];
        if told.as_str() != Some(&to.to.to_string()) {
            bail!("the answer to {path} names {told} as the new owner, not {}", to.to);
        }
        self.answers.owners.insert(id, to.to);
        Ok(())
    }

    async fn ask(&mut self, method: Method, path: &str, key: &str, body: &Value) -> Result<Value> {
        self.permits.acquire().await.context("the run was given up")?.forget();
        let Answer { data, attempts, replayed } = self.api.command(method, path, key, body).await?;
        self.answers.requests += 1;
        self.answers.retried += usize::from(attempts > 1);
        self.answers.replayed += usize::from(replayed);
        self.answered.send_modify(|answered| *answered += 1);
        Ok(data)
    }
}

fn id_of(customer: &Value) -> Result<CustomerId> {
    let id = customer["_id"].as_str().with_context(|| format!("a customer without _id: {customer}"))?;
    Ok(id.parse()?)
}
