//! The scenario: create → assign → transfer → batch. Each step is one HTTP request, and the story of what followed.

use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::json;

use super::client::{Answer, Session};
use super::proof::Proof;
use super::story::{self, Step};
use super::world::World;
use crate::cli::say;

/// Longest time until everything that follows from a step has happened.
const PATIENCE: Duration = Duration::from_secs(30);

/// Leads that are there before the scenario begins, owned by the operator.
const SAMPLE_LEADS: [&str; 4] = ["刘女士", "黄先生", "吴女士", "何先生"];
/// How many of them are assigned together.
const BATCH_LEADS: usize = 3;
/// How often a phone that is taken already is replaced by the next one.
const PHONE_TRIES_MAX: u64 = 50;
/// Phones of the demo are `139` and this many digits.
const PHONE_SERIES: u64 = 100_000_000;

/// A lead as the service answered.
struct Lead {
    id: String,
    name: String,
    number: String,
}

/// Plays it.
pub(super) async fn play(world: &World) -> Result<Proof> {
    say::line(format_args!(
        "Leadwire on {}, WeChat simulator on {}",
        world.base_url,
        world.simulator.base_url()
    ))?;
    let operator = Session::log_in(&world.base_url, "operator").await?;
    let manager = Session::log_in(&world.base_url, "manager").await?;
    let mut samples = Vec::new();
    for name in SAMPLE_LEADS {
        samples.push(create(world, &operator, name, &correlation(world, "sample")).await?.0);
    }
    world.leadwire.settle(PATIENCE).await?;
    say::line(format_args!(
        "{} accounts and {} sample leads are there.",
        world.people.usernames().count(),
        samples.len()
    ))?;

    let mut proof = Proof::begin(world);
    let lead = create_step(world, &manager, &mut proof).await?;
    assign_step(world, &manager, &lead, ("assign", "employee1", "首次分配"), &mut proof).await?;
    assign_step(world, &manager, &lead, ("transfer", "employee2", "张一休假"), &mut proof).await?;
    batch_step(world, &manager, &samples[..BATCH_LEADS], &mut proof).await?;
    proof.finish(world).await?;
    Ok(proof)
}

async fn create_step(world: &World, manager: &Session, proof: &mut Proof) -> Result<Lead> {
    let id = correlation(world, "create");
    let step = Step::begin(world, &id).await?;
    let (lead, answer) = create(world, manager, "王女士", &id).await?;
    let title = format!("1. create: manager creates {} {} and owns it", lead.number, lead.name);
    tell(world, step, &title, &answer, proof, &["manager"]).await?;
    Ok(lead)
}

async fn assign_step(
    world: &World,
    manager: &Session,
    lead: &Lead,
    (what, to, reason): (&str, &'static str, &str),
    proof: &mut Proof,
) -> Result<()> {
    let number = if what == "assign" { 2 } else { 3 };
    let id = correlation(world, what);
    let step = Step::begin(world, &id).await?;
    let body = json!({ "assignedTo": world.people.id(to)?, "assignmentReason": reason });
    let path = format!("/api/customers/{}/assign", lead.id);
    let answer = manager.command(Method::PATCH, &path, &body, &id).await?;
    let title = format!("{number}. {what}: manager gives {} {} to {to}", lead.number, lead.name);
    tell(world, step, &title, &answer, proof, &[to]).await
}

async fn batch_step(world: &World, manager: &Session, leads: &[Lead], proof: &mut Proof) -> Result<()> {
    let to = "employee3";
    let id = correlation(world, "batch");
    let step = Step::begin(world, &id).await?;
    let ids: Vec<&str> = leads.iter().map(|lead| lead.id.as_str()).collect();
    let body =
        json!({ "customerIds": ids, "assignedTo": world.people.id(to)?, "assignmentReason": "批量分配" });
    let answer = manager.command(Method::POST, "/api/customers/batch-assign", &body, &id).await?;
    let title = format!("4. batch: manager gives {} leads of operator to {to}", leads.len());
    tell(world, step, &title, &answer, proof, &[to]).await
}

/// Waits until everything has happened, tells it, and notes it for the proof.
async fn tell(
    world: &World,
    step: Step,
    title: &str,
    answer: &Answer,
    proof: &mut Proof,
    gaining: &[&'static str],
) -> Result<()> {
    world.leadwire.settle(PATIENCE).await?;
    let facts = story::facts(world, step).await?;
    story::tell(world, title, answer, &facts)?;
    proof.note(world, title, &facts, gaining)
}

/// Creates a lead with a phone that nobody has.
async fn create(world: &World, session: &Session, name: &str, id: &str) -> Result<(Lead, Answer)> {
    let first = u64::try_from(world.leadwire.app().clock.now().timestamp_millis()).unwrap_or_default();
    for attempt in 0..PHONE_TRIES_MAX {
        let body = json!({
            "name": name,
            "phone": format!("139{:08}", (first + attempt) % PHONE_SERIES),
            "leadSource": "官网",
            "contractStatus": "匹配中",
            "leadLevel": "A类",
        });
        // Another body is another request, so it has a key of its own.
        let id = if attempt == 0 { id.to_owned() } else { format!("{id}-{attempt}") };
        let request = (Method::POST, "/api/customers");
        if let Some(answer) = session.command_unless(request, &body, &id, "DUPLICATE_PHONE").await? {
            let text =
                |key: &str| answer.data[key].as_str().map(str::to_owned).with_context(|| format!("no {key}"));
            return Ok((
                Lead { id: text("_id")?, name: name.to_owned(), number: text("customerId")? },
                answer,
            ));
        }
    }
    anyhow::bail!("every phone tried is taken; run the demo again")
}

fn correlation(world: &World, step: &str) -> String {
    format!("demo-{step}-{}", world.leadwire.app().ids.next().simple())
}
