//! What the service says afterwards, over HTTP and on the command line.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result};
use domain::{CustomerId, StaffId, TransferRunId};
use serde_json::Value;
use wechat_simulator::Received;

use super::office::Office;
use crate::crash::carried::maker::Person;
use crate::crash::client::Api;
use crate::crash::history::{Decided, Reader};
use crate::crash::service::Address;

/// Rows asked for at once; the most that a page may hold.
const PAGE: usize = 200;
/// The same of an inbox.
const PAGE_OF_INBOX: usize = 100;

/// What the types of the two summaries begin with.
pub(super) const SUMMARY: &str = "LEAD_AUTO_TRANSFER_";

/// What a rebuild is compared with the live tables for.
const REBUILT: [&str; 4] = ["customer_list", "transfer_rules", "transfer_records", "transfer_quotas"];

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen {
    /// Of each planned lead what its record says: status, and the reason if there is one.
    pub(super) records: HashMap<CustomerId, (String, Option<String>)>,
    /// How many records there are; more than leads if one has two.
    pub(super) record_rows: usize,
    /// The rule's statistics: success, failed.
    pub(super) counted: (u64, u64),
    /// What the rule's page says that it moved.
    pub(super) of_rule: u64,
    /// Everybody's part: out, in.
    pub(super) parts: BTreeMap<StaffId, (u64, u64)>,
    /// The types of everybody's summaries in their inbox.
    pub(super) summaries: BTreeMap<StaffId, Vec<String>>,
    /// Who owns how many leads, as the limits count them.
    pub(super) owned: BTreeMap<StaffId, i64>,
    /// Every recorded decision.
    pub(super) decided: Vec<Decided>,
    /// Events that the policy could not answer.
    pub(super) parked: Vec<String>,
    /// What people really received.
    pub(super) ledger: Vec<Received>,
    /// What the program's own checks found wrong.
    pub(super) complaints: Vec<String>,
}

impl Seen {
    pub(super) async fn through(
        address: &Address,
        office: &Office,
        run: TransferRunId,
        reader: &mut Reader,
        ledger: Vec<Received>,
    ) -> Result<Self> {
        let api = office.manager(address)?;
        let (records, record_rows) = records(&api, run).await?;
        let number = |value: &Value, what: &str| value.as_u64().with_context(|| format!("no {what}"));
        let counted = api.get(&format!("/api/lead-transfer/statistics?ruleId={}", office.rule)).await?;
        let counted = (
            number(&counted["successCount"], "successCount")?,
            number(&counted["failedCount"], "failedCount")?,
        );
        let rule = api.get(&format!("/api/lead-transfer/rules/{}", office.rule)).await?;
        let of_rule = number(&rule["statistics"]["totalTransferred"], "totalTransferred")?;
        let (mut parts, mut summaries) = (BTreeMap::new(), BTreeMap::new());
        for person in office.people.iter().chain([&office.outsider]) {
            let part = api.get(&format!("/api/lead-transfer/user-statistics/{}", person.id)).await?;
            let (out, into) = (&part["transferredOut"], &part["transferredIn"]);
            parts.insert(person.id, (number(out, "transferredOut")?, number(into, "transferredIn")?));
            summaries.insert(person.id, inbox(address, person, SUMMARY).await?);
        }
        let reconciled = address.json(&["deliveries", "reconcile"]).await.err();
        Ok(Self {
            records,
            record_rows,
            counted,
            of_rule,
            parts,
            summaries,
            owned: reader.owned_leads().await?,
            decided: reader.decisions().await?,
            parked: reader.parked().await?,
            ledger,
            complaints: reconciled.iter().map(|error| format!("{error:#}")).collect(),
        })
    }

    /// After the service has stopped: the read models, made again from the log, are those that were served. A rebuild
    /// refuses when they differ.
    pub(super) async fn with_rebuilt(mut self, address: &Address) -> Self {
        for model in REBUILT {
            if let Err(error) = address.json(&["projections", "rebuild", model]).await {
                self.complaints.push(format!("{error:#}"));
            }
        }
        self
    }
}

type Records = HashMap<CustomerId, (String, Option<String>)>;

async fn records(api: &Api, run: TransferRunId) -> Result<(Records, usize)> {
    let (mut records, mut rows) = (HashMap::new(), 0);
    for page in 1.. {
        let path = format!("/api/lead-transfer/records?runId={run}&limit={PAGE}&page={page}");
        let data = api.get(&path).await?;
        let found = data["records"].as_array().context("a page without records")?;
        for row in found {
            let customer = row["customerId"].as_str().context("a record without a lead")?.parse()?;
            let status = row["status"].as_str().context("a record without status")?.to_owned();
            records.insert(customer, (status, row["reason"].as_str().map(str::to_owned)));
        }
        rows += found.len();
        if found.len() < PAGE {
            break;
        }
    }
    Ok((records, rows))
}

/// The types of a person's notices that begin like this, in order.
pub(in crate::crash) async fn inbox(address: &Address, person: &Person, of: &str) -> Result<Vec<String>> {
    let api = Api::with_token(address, &person.token)?;
    let mut found = Vec::new();
    for page in 1.. {
        let path = format!("/api/notifications?pageSize={PAGE_OF_INBOX}&page={page}");
        let data = api.get(&path).await?;
        let items = data["items"].as_array().context("an inbox without items")?;
        let types = items.iter().filter_map(|item| item["type"].as_str());
        found.extend(types.filter(|scene| scene.starts_with(of)).map(str::to_owned));
        if items.len() < PAGE_OF_INBOX {
            break;
        }
    }
    found.sort_unstable();
    Ok(found)
}
