//! A person who registers through the public form: nobody is logged in, and whether the phone was known before is
//! nobody's business (as with the public lead form, fault A-15).

use chrono::{DateTime, Utc};
use domain::member::{MemberField, MemberFields, MemberSource};
use domain::{MemberId, Position};

use super::staff::{completed, registration};
use super::{MemberReceipt, MemberRefusal, taken_as_refusal};
use crate::bus::{AppendError, CommandBus, CommandContext, ExecuteError, GuardKind, Plan, execute};

/// The part of the system that such members are registered by.
pub const PUBLIC_FORM: &str = "会员登记";

/// How many numbers are tried for one person. Two people of the same millisecond are a thousand to one.
const NUMBERS_TRIED_MAX: u64 = 8;

/// Numbers of one millisecond.
const NUMBERS_OF_A_MOMENT: u64 = 1000;

/// What the form says.
#[derive(Debug, Clone)]
pub struct PublicRegistration {
    /// Id of the new member.
    pub id: MemberId,
    /// What the person told; has a WeChat id and a phone.
    pub fields: MemberFields,
}

/// What became of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// It is a member now, or the form was answered before.
    Member(Position),
    /// The phone or the WeChat id is known; nothing was changed.
    Known,
}

/// Registers whoever filled in the form, with a number as system S's import makes them: `M`, the milliseconds, chance.
/// A phone or WeChat id that is known changes nothing, and the caller cannot tell.
pub async fn register_publicly<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    form: PublicRegistration,
) -> Result<Registered, ExecuteError<MemberRefusal>> {
    for attempt in 0..NUMBERS_TRIED_MAX {
        let number = drawn(form.id, context.at, attempt);
        let done = execute::<_, MemberReceipt, MemberRefusal, _, _>(bus, context, async || {
            let mut fields = completed(form.fields.clone());
            // A number of a letter and digits is never too long.
            let _fits = fields.read(MemberField::MemberNo, Some(&number));
            registration(form.id, MemberSource::Public, fields, context)
        });
        match done.await.map_err(taken_as_refusal) {
            Ok(executed) if executed.result.changed => return Ok(Registered::Member(executed.position)),
            Ok(_) => return Ok(Registered::Known),
            Err(ExecuteError::Refused(MemberRefusal::DuplicateNumber)) => {}
            Err(ExecuteError::Refused(MemberRefusal::DuplicatePhone | MemberRefusal::DuplicateWechat)) => {
                return known(bus, context, form.id).await;
            }
            Err(error) => return Err(error),
        }
    }
    let kind = GuardKind::MemberNumber;
    Err(ExecuteError::Append(AppendError::Taken { kind, holder: form.id.into() }))
}

/// A number nobody has, in all likelihood.
fn drawn(id: MemberId, at: DateTime<Utc>, attempt: u64) -> String {
    let chance = id.0.as_u128() % u128::from(NUMBERS_OF_A_MOMENT);
    let chance = u64::try_from(chance).unwrap_or_default();
    format!("M{}{:03}", at.timestamp_millis(), (chance + attempt) % NUMBERS_OF_A_MOMENT)
}

/// Remembers that the form was answered, as it is remembered of a form that became a member.
async fn known<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    id: MemberId,
) -> Result<Registered, ExecuteError<MemberRefusal>> {
    let result = MemberReceipt { member: id, sequence: 0, changed: false };
    let plan = || async { Ok(Plan { streams: vec![], guards: vec![], result: result.clone() }) };
    execute(bus, context, plan).await.map(|_| Registered::Known)
}
