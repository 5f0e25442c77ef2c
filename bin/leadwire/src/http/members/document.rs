//! A member as one reader sees it. Names are the columns' names of system S (existing-systems.md section 7.1); what is
//! nobody's business is left out (fault S-23).

use std::collections::BTreeMap;

use application::access::{Caller, FieldView, MemberView, free_text, member_view};
use domain::MemberId;
use domain::member::{FieldValue, Member, MemberField, MemberFields};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::schemas::MemberColumns;
use crate::http::time::Millis;

/// The columns that hold a code.
const CODES: [MemberField; 9] = [
    MemberField::Kind,
    MemberField::Status,
    MemberField::Gender,
    MemberField::Education,
    MemberField::HouseCar,
    MemberField::ChildrenPlan,
    MemberField::MarriageCert,
    MemberField::MarriageHistory,
    MemberField::SexualOrientation,
];

/// What leads to the member besides the phone, which is masked.
const CONTACTS: [MemberField; 2] = [MemberField::Wechat, MemberField::WechatQrcode];

/// What people write at length, and may write a phone into.
const TEXTS: [MemberField; 4] = [
    MemberField::Nickname,
    MemberField::SelfDescription,
    MemberField::PartnerRequirement,
    MemberField::Notes,
];

/// A member. A column that nothing is known of, or that the reader may not see, is absent.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberDocument {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: MemberId,
    /// Its columns.
    #[serde(flatten)]
    #[schema(value_type = MemberColumns)]
    columns: MemberFields,
    /// The Chinese word for every code above, by column; a code that nobody knows stands as it is.
    labels: BTreeMap<&'static str, String>,
    /// Columns whose code nobody knows.
    unknown_codes: Vec<&'static str>,
    /// Whether it takes part.
    active: bool,
    /// By which way it came: `staff`, `public`, or the name of the source.
    source: String,
    /// Key of its row in the source; for whoever sees every field.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_key: Option<String>,
    /// When the person registered 登记时间.
    #[schema(value_type = Option<DateTime<Utc>>)]
    registered_at: Option<Millis>,
    /// When Leadwire learnt of it.
    #[schema(value_type = Option<DateTime<Utc>>)]
    learnt_at: Option<Millis>,
    /// When anything last changed.
    #[schema(value_type = Option<DateTime<Utc>>)]
    updated_at: Option<Millis>,
    /// Until when what was paid for holds 到期时间.
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<Millis>,
    /// Why the membership was taken back 撤销原因.
    revoked_because: Option<String>,
}

impl MemberDocument {
    /// As this reader sees it.
    pub(super) fn of(reader: &Caller, id: MemberId, member: &Member) -> Self {
        let view = member_view(reader.role);
        let columns = seen(view, &member.fields);
        let label = |field: &MemberField| Some((field.as_str(), columns.shown(*field)?));
        let labels = CODES.iter().filter_map(label).collect();
        let unknown_codes = columns.unknown_codes().into_iter().map(|(field, _)| field.as_str()).collect();
        let registered = member.registered.as_ref();
        let row = registered.and_then(|registered| registered.source.row());
        let reason = member.revoked_because.as_deref();
        Self {
            id,
            labels,
            unknown_codes,
            active: member.is_active(),
            source: registered.map(|registered| registered.source.name().to_owned()).unwrap_or_default(),
            source_key: row.filter(|_| view == MemberView::Full).map(|row| row.key.clone()),
            registered_at: registered.map(|registered| Millis(registered.at)),
            learnt_at: registered.map(|registered| Millis(registered.learnt_at)),
            updated_at: member.updated_at.map(Millis),
            expires_at: member.expires_at.map(Millis),
            revoked_because: reason.map(|reason| free_text(texts(view), reason)),
            columns,
        }
    }
}

/// How free texts are shown to whoever sees a member so.
fn texts(view: MemberView) -> FieldView {
    match view {
        MemberView::Full | MemberView::Work => FieldView::Full,
        MemberView::Base => FieldView::Base,
    }
}

/// The columns that somebody sees.
fn seen(view: MemberView, fields: &MemberFields) -> MemberFields {
    let mut seen = fields.clone();
    if view == MemberView::Full {
        return seen;
    }
    for field in MemberField::ALL.iter().filter(|field| field.is_sensitive()) {
        seen.set(*field, None);
    }
    if view == MemberView::Base {
        for field in CONTACTS {
            seen.set(field, None);
        }
        let masked = fields.phone.as_ref().map(|phone| FieldValue::Text(phone.masked()));
        seen.set(MemberField::Phone, masked.as_ref());
        for field in TEXTS {
            if let Some(FieldValue::Text(text)) = fields.get(field) {
                seen.set(field, Some(&FieldValue::Text(free_text(FieldView::Base, &text))));
            }
        }
    }
    seen
}
