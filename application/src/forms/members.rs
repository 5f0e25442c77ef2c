//! The forms of members: registered by the staff or by themselves, changed, upgraded, revoked. JSON names are the
//! columns' names of system S (existing-systems.md section 7.1).
//!
//! Whoever types here types codes of the table: a form refuses what a captured row may hold.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use domain::member::{
    ChildrenPlan, Gender, HouseCar, MarriageCert, MarriageHistory, MemberEducation, MemberStatus, Orientation,
};
use domain::member::{FieldValue, MemberCode, MemberField, MemberFields, MemberKind, MemberPatch, Upgrade};
use serde_json::Value;

use super::fields::{Fields, Null};
use super::scalars::{boolean, date, line, paragraphs, phone, wechat_id, whole};
use super::{FREE_TEXT_CHARS_MAX, FieldError, REASON_CHARS_MAX, Rule, SHORT_TEXT_CHARS_MAX};

/// Years in which a member may be born.
const BIRTH_YEARS: RangeInclusive<i64> = 1900..=2100;
/// Centimetres.
const HEIGHTS: RangeInclusive<i64> = 50..=260;
/// Kilograms, or the half kilograms that people count in.
const WEIGHTS: RangeInclusive<i64> = 20..=600;
/// Matches that may be left.
const MATCHES: RangeInclusive<i64> = 0..=10_000;

/// What a registration needs.
const IDENTITY: [MemberField; 3] = [MemberField::MemberNo, MemberField::Wechat, MemberField::Phone];

/// What has a command of its own, and no update changes.
const MOVES: [MemberField; 2] = [MemberField::Kind, MemberField::Status];

/// What nobody says of themselves: the staff decides on it, or needs another proof than a form.
const NOT_PUBLIC: [MemberField; 9] = [
    MemberField::MemberNo,
    MemberField::Kind,
    MemberField::Status,
    MemberField::IsSuccess,
    MemberField::RemainingMatches,
    MemberField::Notes,
    MemberField::RealName,
    MemberField::IdCard,
    MemberField::UserId,
];

/// `POST /api/members`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterMember(pub MemberFields);

/// `POST /api/members/register`: what a person says of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterMyself(pub MemberFields);

/// `PATCH /api/members/:id`. Absent and blank fields stay as they are; `null` clears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateMember(pub MemberPatch);

/// `POST /api/members/:id/upgrade`.
#[derive(Debug, Clone, PartialEq)]
pub struct UpgradeMember(pub Upgrade);

/// `POST /api/members/:id/revoke`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeMember {
    /// Why 撤销原因.
    pub reason: Option<String>,
}

impl RegisterMember {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let member = registration(&mut fields, MemberField::ALL, &IDENTITY);
        called(fields.finish(Some(Self(member))))
    }
}

impl RegisterMyself {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let public: Vec<_> = MemberField::ALL.iter().copied().filter(|f| !NOT_PUBLIC.contains(f)).collect();
        let member = registration(&mut fields, &public, &IDENTITY[1..]);
        called(fields.finish(Some(Self(member))))
    }
}

impl UpdateMember {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Clears)?;
        for field in MOVES {
            if fields.take(field.as_str()).is_some() {
                fields.violated(field.as_str(), Rule::Fixed);
            }
        }
        let mut changes = MemberPatch::default();
        for field in MemberField::ALL.iter().copied().filter(|field| !MOVES.contains(field)) {
            let read = |json| value(field, json);
            let change = if IDENTITY.contains(&field) {
                fields.optional(field.as_str(), read).map(Some)
            } else {
                fields.change(field.as_str(), read)
            };
            if let Some(change) = change {
                changes.set(field, change.as_ref());
            }
        }
        called(fields.finish(Some(Self(changes))))
    }
}

impl UpgradeMember {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let to = fields.required(MemberField::Kind.as_str(), known::<MemberKind>);
        let remaining_matches = fields.optional(MemberField::RemainingMatches.as_str(), whole(MATCHES));
        let paid_at: Option<DateTime<Utc>> = fields.optional("paid_at", date);
        let expires_at = fields.optional("expires_at", date);
        let notes = fields.optional("notes", paragraphs(FREE_TEXT_CHARS_MAX));
        let upgrade = to.map(|to| Self(Upgrade { to, remaining_matches, paid_at, expires_at, notes }));
        called(fields.finish(upgrade))
    }
}

impl RevokeMember {
    /// Reads the body; none at all is a body without a reason.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        if body.is_null() {
            return Ok(Self { reason: None });
        }
        let mut fields = Fields::of(body, Null::Absent)?;
        let reason = fields.optional("reason", paragraphs(REASON_CHARS_MAX));
        called(fields.finish(Some(Self { reason })))
    }
}

/// The fields of somebody new; those `needed` must be there.
fn registration(f: &mut Fields, allowed: &[MemberField], needed: &[MemberField]) -> MemberFields {
    let mut member = MemberFields::default();
    for field in allowed {
        let read = |json| value(*field, json);
        let given = if needed.contains(field) {
            f.required(field.as_str(), read)
        } else {
            f.optional(field.as_str(), read)
        };
        member.set(*field, given.as_ref());
    }
    member
}

/// Reads one field.
fn value(field: MemberField, json: Value) -> Result<FieldValue, Rule> {
    use MemberField as F;
    let code = |code: Result<&'static str, Rule>| code.map(|code| FieldValue::Text(code.to_owned()));
    match field {
        F::BirthYear => whole(BIRTH_YEARS)(json).map(FieldValue::Number),
        F::Height => whole(HEIGHTS)(json).map(FieldValue::Number),
        F::Weight => whole(WEIGHTS)(json).map(FieldValue::Number),
        F::RemainingMatches => whole(MATCHES)(json).map(FieldValue::Number),
        F::IsSuccess => boolean(json).map(FieldValue::Flag),
        F::Phone => phone(json).map(|phone| FieldValue::Text(phone.as_str().to_owned())),
        F::Wechat => wechat_id(json).map(|wechat| FieldValue::Text(wechat.as_str().to_owned())),
        F::Kind => code(known::<MemberKind>(json).map(MemberCode::code)),
        F::Status => code(known::<MemberStatus>(json).map(MemberCode::code)),
        F::Gender => code(known::<Gender>(json).map(MemberCode::code)),
        F::Education => code(known::<MemberEducation>(json).map(MemberCode::code)),
        F::HouseCar => code(known::<HouseCar>(json).map(MemberCode::code)),
        F::ChildrenPlan => code(known::<ChildrenPlan>(json).map(MemberCode::code)),
        F::MarriageCert => code(known::<MarriageCert>(json).map(MemberCode::code)),
        F::MarriageHistory => code(known::<MarriageHistory>(json).map(MemberCode::code)),
        F::SexualOrientation => code(known::<Orientation>(json).map(MemberCode::code)),
        F::SelfDescription | F::PartnerRequirement | F::Notes => {
            paragraphs(field.chars_max())(json).map(FieldValue::Text)
        }
        _ => line(field.chars_max())(json).map(FieldValue::Text),
    }
}

/// A code of the table, in any of its spellings.
fn known<T: MemberCode>(json: Value) -> Result<T, Rule> {
    let text = line(SHORT_TEXT_CHARS_MAX)(json)?;
    let allowed = || T::TABLE.iter().map(|value| value.code().to_owned()).collect();
    T::read(&text).ok_or_else(|| Rule::UnknownCode { allowed: allowed() })
}

/// The violations in the words that the staff has for members: other forms call the same names otherwise.
fn called<T>(read: Result<T, Vec<FieldError>>) -> Result<T, Vec<FieldError>> {
    let name = |error: FieldError| {
        let field = error.path.clone();
        error.called_as_in("member", &field)
    };
    read.map_err(|errors| errors.into_iter().map(name).collect())
}
