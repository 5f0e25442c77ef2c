//! What a manager does with a lead that is still to be moved.

use anyhow::Result;
use domain::CustomerId;
use domain::transfer_rule::run::PlannedMove;
use leadwire::http::problem;
use reqwest::Method;
use serde_json::json;

use super::office::Office;
use crate::crash::client::Api;

/// The ways to touch a lead, in turn.
const WAYS: [Way; 3] = [Way::FollowUp, Way::GiveAway, Way::Release];

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It was followed up.
    FollowUp,
    /// It was given to somebody outside the rule.
    GiveAway,
    /// It went back into the pool.
    Release,
}

/// A lead that was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) customer: CustomerId,
    pub(super) way: Way,
}

impl Way {
    /// The codes that say why such a lead stays.
    pub(super) fn reasons(self) -> &'static [&'static str] {
        match self {
            Self::FollowUp => &["active"],
            Self::GiveAway => &["owner_changed", "not_source"],
            Self::Release => &["in_pool"],
        }
    }
}

/// Touches a lead, the `n`-th of all; `None` when the run moved it at that very moment, which refuses the manager.
pub(super) async fn touch(
    api: &Api,
    office: &Office,
    planned: PlannedMove,
    n: usize,
) -> Result<Option<Touched>> {
    let (customer, way) = (planned.customer, WAYS[n % WAYS.len()]);
    let key = format!("touch-{customer}");
    let (method, path, body) = match way {
        Way::FollowUp => {
            let body = json!({ "type": "phone", "content": "客户下周回复" });
            (Method::POST, format!("/api/customers/{customer}/follow-ups"), body)
        }
        Way::GiveAway => {
            let body = json!({ "assignedTo": office.outsider.id });
            (Method::PATCH, format!("/api/customers/{customer}/assign"), body)
        }
        Way::Release => {
            let body = json!({ "reason": "客户暂时不需要" });
            (Method::POST, format!("/api/customers/{customer}/release-to-pool"), body)
        }
    };
    match api.command(method, &path, &key, &body).await {
        Ok(_) => Ok(Some(Touched { customer, way })),
        Err(refused) if refused.to_string().contains(problem::VERSION_CONFLICT.code) => Ok(None),
        Err(other) => Err(other),
    }
}
