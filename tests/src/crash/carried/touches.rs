//! What a manager does with a lead that is still to be moved.

use anyhow::Result;
use domain::{CustomerId, StaffId};
use leadwire::http::problem;
use reqwest::Method;
use serde_json::json;

use crate::crash::client::Api;

/// The ways to touch a lead, in turn.
const WAYS: [Way; 3] = [Way::FollowUp, Way::GiveAway, Way::Release];

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It was followed up.
    FollowUp,
    /// It was given to somebody outside the rule.
    GiveAway,
    /// It went back into the pool.
    Release,
}

/// A lead that was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) customer: CustomerId,
    pub(crate) way: Way,
}

/// Refusals of somebody who came at the very moment at which the run took the lead, or after it.
const TOO_LATE: [&str; 2] = [problem::VERSION_CONFLICT.code, problem::ALREADY_IN_POOL.code];

/// Touches a lead, the `n`-th of all; `None` when the run was faster, which refuses the manager. A lead that is given away
/// goes to `outsider`.
pub(crate) async fn touch(
    api: &Api,
    outsider: StaffId,
    customer: CustomerId,
    n: usize,
) -> Result<Option<Touched>> {
    let way = WAYS[n % WAYS.len()];
    let key = format!("touch-{customer}");
    let (method, path, body) = match way {
        Way::FollowUp => {
            let body = json!({ "type": "phone", "content": "客户下周回复" });
            (Method::POST, format!("/api/customers/{customer}/follow-ups"), body)
        }
        Way::GiveAway => {
            let body = json!({ "assignedTo": outsider });
            (Method::PATCH, format!("/api/customers/{customer}/assign"), body)
        }
        Way::Release => {
            let body = json!({ "reason": "客户暂时不需要" });
            (Method::POST, format!("/api/customers/{customer}/release-to-pool"), body)
        }
    };
    match api.command(method, &path, &key, &body).await {
        Ok(_) => Ok(Some(Touched { customer, way })),
        Err(refused) => {
            let words = refused.to_string();
            if TOO_LATE.iter().any(|code| words.contains(code)) { Ok(None) } else { Err(refused) }
        }
    }
}
