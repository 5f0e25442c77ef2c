//! Fences that are asked together: one statement for all attachments of a kind in a batch, where a statement is a
//! round trip that everybody in the queue waits for.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use super::attachment::{Attachment, Fence, Joint};
use super::batch::{self, Judgement, Present};
use super::prepare::Request;
use crate::db::{DbError, Tx};

/// Which requests of the batch have passed their one fence by now. The others are asked alone, so a "no" here decides
/// nothing; on SQLite, where a statement costs no round trip, everybody is.
///
/// Only what will be written may be asked, because who passes has written. A request with guards waits for its turn:
/// the counts it meets depend on its neighbours.
pub(super) async fn pass(
    tx: &mut Tx<'_>,
    batch: &[Request],
    present: &Present,
) -> Result<Vec<bool>, DbError> {
    let mut passed = vec![false; batch.len()];
    let Tx::Postgres(tx) = tx else { return Ok(passed) };
    let mut asked: BTreeMap<&'static str, Asked> = BTreeMap::new();
    for (index, request) in batch.iter().enumerate().filter(|(_, request)| request.guards.is_empty()) {
        if let Some(Joint { statement, key, row }) = only_fence(&request.attachments)
            && matches!(batch::judge(request, present), Judgement::Write(_))
        {
            let asked = asked.entry(statement).or_default();
            asked.requests.push((index, key));
            asked.rows.push(row);
        }
    }
    for (statement, Asked { requests, rows }) in asked {
        let keys: Vec<Uuid> =
            sqlx::query_scalar(statement).bind(Value::Array(rows).to_string()).fetch_all(&mut **tx).await?;
        let keys: HashSet<Uuid> = keys.into_iter().collect();
        for (index, _) in requests.iter().filter(|(_, key)| keys.contains(key)) {
            passed[*index] = true;
        }
    }
    Ok(passed)
}

/// What one statement is asked.
#[derive(Default)]
struct Asked {
    /// Place in the batch, key of the row.
    requests: Vec<(usize, Uuid)>,
    rows: Vec<Value>,
}

/// The fence of a request that has just this one.
fn only_fence(attachments: &[Box<dyn Attachment>]) -> Option<Joint> {
    let mut fences = attachments.iter().map(|a| a.kind()).filter(|fence| !matches!(fence, Fence::None));
    match (fences.next(), fences.next()) {
        (Some(Fence::Joint(joint)), None) => Some(joint),
        _ => None,
    }
}
