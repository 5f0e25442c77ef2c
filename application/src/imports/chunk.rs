//! One chunk: which of its rows can be stored at this moment, and the one append that stores them.

use std::collections::{HashMap, HashSet};

use domain::batch::{Batch, BatchCommand, BatchError, ImportChunkStored, OwnedCustomer};
use domain::customer::{ContractStatus, Customer, CustomerCommand, CustomerEvent, CustomerNumber, Placement};
use domain::staff::Staff;
use domain::{Aggregate, BatchId, CustomerId, StaffId, StreamId};
use serde::{Deserialize, Serialize};

use super::run::{ImportRefusal, PlacedRow, Stores, refused};
use super::{StoreRefusal, UniqueValues};
use crate::access;
use crate::bus::{
    AppendError, CommandBus, CommandContext, ExecuteError, GuardChange, GuardKind, LoadError, Plan,
    StreamAppend,
};
use crate::customers::{Holding, recounted_all};

/// Reason recorded when the file names no owner.
const REASON_DEFAULT: &str = "导入默认分配给导入人";
/// Reason recorded when the file names the owner.
const REASON_NAMED: &str = "导入时指定负责人";

/// What is remembered of a chunk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ChunkReceipt {
    /// The rows that were stored.
    pub(super) created: Vec<u32>,
    /// The rows that were not.
    pub(super) refused: Vec<(u32, StoreRefusal)>,
}

/// A row that is stored.
struct Stored<'r> {
    row: &'r PlacedRow,
    id: CustomerId,
    owner: StaffId,
    number: CustomerNumber,
}

/// Plans a chunk on what is true now. `ids` has one id a row.
pub(super) async fn plan<B: CommandBus>(
    stores: &Stores<'_, B>,
    context: &CommandContext,
    batch: BatchId,
    rows: &[PlacedRow],
    ids: &[CustomerId],
) -> Result<Plan<ChunkReceipt>, ExecuteError<ImportRefusal>> {
    let found = stores.bus.load::<Batch>(&StreamId::from(batch)).await?;
    if found.state.completed {
        return Err(refused(BatchError::Done));
    }
    let moment = Moment::look(stores, rows).await?;
    let numbers = stores.numbers.block(rows.len()).await;
    let numbers =
        numbers.map_err(|error| ExecuteError::Append(AppendError::Unavailable(error.to_string())))?;

    let mut receipt = ChunkReceipt::default();
    let mut accepted = Vec::with_capacity(rows.len());
    for ((row, id), number) in rows.iter().zip(ids).zip(numbers) {
        match moment.judge(row) {
            Err(why) => receipt.refused.push((row.number, why)),
            Ok(owner) => {
                receipt.created.push(row.number);
                accepted.push(Stored { row, id: *id, owner, number: CustomerNumber::nth(number) });
            }
        }
    }
    let mut streams = Vec::with_capacity(accepted.len() + 1);
    for one in &accepted {
        streams.push(StreamAppend::of(one.id, 0, &one.events(context, batch)?)?);
    }
    let created: Vec<_> =
        accepted.iter().map(|one| OwnedCustomer { customer: one.id, owner: one.owner }).collect();
    if !created.is_empty() {
        let chunk = ImportChunkStored { created, at: context.at };
        let events = found.state.decide(BatchCommand::StoreChunk(chunk)).map_err(refused)?;
        streams.push(StreamAppend::of(batch, found.sequence, &events)?);
    }
    Ok(Plan { streams, guards: guards(&accepted), result: receipt })
}

impl Stored<'_> {
    fn events(
        &self,
        context: &CommandContext,
        batch: BatchId,
    ) -> Result<Vec<CustomerEvent>, ExecuteError<ImportRefusal>> {
        let form = &self.row.form;
        let reason = if self.row.named { REASON_NAMED } else { REASON_DEFAULT };
        let create = CustomerCommand::Create {
            number: self.number.clone(),
            profile: Box::new(form.profile.clone()),
            contract_status: form.contract_status,
            lead_level: form.lead_level,
            placement: Placement::Owner(self.owner, reason.to_owned()),
            import: Some(batch),
            by: context.metadata.actor.clone(),
            at: context.at,
        };
        Customer::default().decide(create).map_err(refused)
    }
}

/// What the rows of a chunk depend on.
struct Moment {
    staff: HashMap<StaffId, Staff>,
    phones: HashSet<String>,
    wechats: HashSet<String>,
}

impl Moment {
    async fn look<B: CommandBus>(stores: &Stores<'_, B>, rows: &[PlacedRow]) -> Result<Self, LoadError> {
        let owners: Vec<StaffId> =
            rows.iter().filter_map(|row| row.owner.ok()).collect::<HashSet<_>>().into_iter().collect();
        let streams: Vec<_> = owners.iter().map(|id| StreamId::from(*id)).collect();
        let found = stores.bus.load_many::<Staff>(&streams).await?;
        let staff = owners.into_iter().zip(found.into_iter().map(|found| found.state)).collect();
        let phones = held(stores.unique, GuardKind::CustomerPhone, rows, phone).await?;
        let wechats = held(stores.unique, GuardKind::CustomerWechat, rows, wechat).await?;
        Ok(Self { staff, phones, wechats })
    }

    /// Who gets the row, or why it cannot be stored now.
    fn judge(&self, row: &PlacedRow) -> Result<StaffId, StoreRefusal> {
        let owner = row.owner?;
        let staff = self.staff.get(&owner);
        let account = staff.and_then(|staff| staff.account.as_ref()).ok_or(StoreRefusal::StaffNotFound)?;
        if !staff.is_some_and(Staff::is_active) {
            return Err(StoreRefusal::StaffInactive);
        }
        if !access::assignable(account.role) {
            return Err(StoreRefusal::StaffNotAssignable);
        }
        if phone(row).is_some_and(|phone| self.phones.contains(phone)) {
            return Err(StoreRefusal::DuplicatePhone);
        }
        if wechat(row).is_some_and(|wechat| self.wechats.contains(wechat)) {
            return Err(StoreRefusal::DuplicateWechat);
        }
        Ok(owner)
    }
}

fn phone(row: &PlacedRow) -> Option<&str> {
    row.form.profile.phone.as_ref().map(domain::contact::Phone::as_str)
}

fn wechat(row: &PlacedRow) -> Option<&str> {
    row.form.profile.wechat_id.as_ref().map(domain::contact::WechatId::as_str)
}

async fn held(
    unique: &dyn UniqueValues,
    kind: GuardKind,
    rows: &[PlacedRow],
    key: fn(&PlacedRow) -> Option<&str>,
) -> Result<HashSet<String>, LoadError> {
    let keys: Vec<String> = rows.iter().filter_map(key).map(str::to_owned).collect();
    if keys.is_empty() { Ok(HashSet::new()) } else { unique.held(kind, &keys).await }
}

fn guards(stored: &[Stored<'_>]) -> Vec<GuardChange> {
    let claim = |kind, key: &str, holder: CustomerId| GuardChange::Claim {
        kind,
        key: key.to_owned(),
        holder: holder.into(),
    };
    let mut guards = Vec::with_capacity(stored.len() * 2);
    for one in stored {
        guards.push(claim(GuardKind::CustomerNumber, one.number.as_str(), one.id));
        guards.extend(phone(one.row).map(|phone| claim(GuardKind::CustomerPhone, phone, one.id)));
        guards.extend(wechat(one.row).map(|wechat| claim(GuardKind::CustomerWechat, wechat, one.id)));
    }
    let holding = |one: &Stored<'_>| Holding {
        owner: one.owner,
        signed: one.row.form.contract_status == ContractStatus::Signed,
    };
    // Nobody is held to the cap: system A's limit is on claiming.
    guards.extend(recounted_all(stored.iter().map(|one| (None, Some(holding(one)))), None));
    guards
}
