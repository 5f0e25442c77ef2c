//! The members 会员 of system S: one row each, the deleted ones too.
//!
//! `doc` is the aggregate's state; the other columns are what is searched, filtered, sorted and counted by.

use domain::member::{Code, Member, MemberCode};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use super::folded::{Folded, fold, poison};
use crate::consumer::HandleError;
use crate::table::{Cell, Kind, Table, Target, index, may, must, upsert};

/// 2: a reason goes with the revocation it was given for; a row that agrees with what is known is remembered.
pub(crate) const REVISION: i64 = 2;

pub(crate) const FILTER: Filter<'static> = Filter::StreamType("member");

pub(crate) const TABLE: Table = Table {
    name: "members",
    columns: &[
        must("id", Kind::Uuid),
        must("source", Kind::Text),
        may("member_no", Kind::Text),
        may("nickname", Kind::Text),
        may("wechat", Kind::Text),
        may("phone", Kind::Text),
        may("kind", Kind::Text),
        may("status", Kind::Text),
        may("gender", Kind::Text),
        may("education", Kind::Text),
        may("province", Kind::Text),
        may("city", Kind::Text),
        may("birth_year", Kind::Int),
        must("active", Kind::Bool),
        must("deleted", Kind::Bool),
        may("unknown_codes", Kind::Text),
        must("registered_at", Kind::Time),
        must("learnt_at", Kind::Time),
        must("updated_at", Kind::Time),
        must("version", Kind::Int),
        must("position", Kind::Int),
        must("doc", Kind::Text),
    ],
    key: &["id"],
    indexes: &[
        index("by_number", "member_no"),
        index("by_registration", "registered_at, id"),
        index("by_source", "source, registered_at"),
    ],
};

/// What stands between two unknown codes of one member, and between a column and its code.
pub(crate) const CODES_SEPARATOR: char = '\n';
pub(crate) const CODE_SEPARATOR: char = '=';

fn row(folded: &Folded<Member>) -> Result<Vec<Cell>, HandleError> {
    let member = &folded.state;
    let registered = member
        .registered
        .as_ref()
        .ok_or_else(|| poison(folded.position, "a member does not begin with its registration"))?;
    let fields = &member.fields;
    Ok(vec![
        folded.id.into(),
        Cell::text(registered.source.name()),
        Cell::text_or_null(fields.member_no.as_ref().map(domain::member::MemberNumber::as_str)),
        Cell::text_or_null(fields.nickname.as_deref()),
        Cell::text_or_null(fields.wechat.as_ref().map(domain::contact::WechatId::as_str)),
        Cell::text_or_null(fields.phone.as_ref().map(domain::member::MemberPhone::as_str)),
        code(fields.kind.as_ref()),
        code(fields.status.as_ref()),
        code(fields.gender.as_ref()),
        code(fields.education.as_ref()),
        Cell::text_or_null(fields.province.as_deref()),
        Cell::text_or_null(fields.city.as_deref()),
        fields.birth_year.into(),
        member.is_active().into(),
        (!member.exists()).into(),
        unknown_codes(member),
        registered.at.into(),
        registered.learnt_at.into(),
        member.updated_at.unwrap_or(registered.learnt_at).into(),
        folded.version.into(),
        folded.position.into(),
        Cell::text(&folded.doc()?),
    ])
}

fn code<T: MemberCode>(code: Option<&Code<T>>) -> Cell {
    Cell::text_or_null(code.map(Code::as_str))
}

/// The codes that nobody knows, column by column; they are counted by this text (domain.md section 4).
fn unknown_codes(member: &Member) -> Cell {
    let codes: Vec<String> = member
        .fields
        .unknown_codes()
        .into_iter()
        .map(|(field, code)| format!("{field}{CODE_SEPARATOR}{}", code.replace(CODES_SEPARATOR, " ")))
        .collect();
    let text = codes.join(&CODES_SEPARATOR.to_string());
    Cell::text_or_null((!text.is_empty()).then_some(text.as_str()))
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let events = page.iter().filter_map(|fact| match fact {
        Fact::Member(event) => Some(&**event),
        _ => None,
    });
    let changed = fold::<Member>(tx, &TABLE, target, events).await?;
    let rows = changed.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
