//! Samples of what is said about members of system S.

use domain::Actor;
use domain::member::{
    FieldChange, FieldValue, MemberActivated, MemberDeleted, MemberEvent, MemberField, MemberFields,
    MemberKind, MemberRegistered, MemberRevoked, MemberRowSeen, MemberSource, MemberStatus, MemberUpdated,
    MemberUpgraded, RowFingerprint, SourceKey,
};

use super::{at, boss};

fn fields() -> MemberFields {
    let columns = [
        ("member_no", "M1001"),
        ("nickname", "小王"),
        ("wechat", "wang_88"),
        ("phone", "13812348999"),
        ("type", "NORMAL"),
        ("status", "PENDING"),
        ("is_success", "0"),
        ("gender", "female"),
        ("birth_year", "1990"),
        ("height", "165"),
        ("weight", "50"),
        ("education", "DOCTOR"),
        ("occupation", "教师"),
        ("province", "浙江"),
        ("city", "杭州"),
        ("district", "西湖区"),
        ("target_area", "杭州、上海"),
        ("hukou_province", "江苏"),
        ("hukou_city", "苏州"),
        ("house_car", "HOUSE_ONLY"),
        ("children_plan", "NEGOTIATE"),
        ("marriage_cert", "NEGOTIABLE"),
        ("marriage_history", "不详"),
        ("sexual_orientation", "LES"),
        ("self_description", "喜欢旅行\n不吸烟"),
        ("partner_requirement", "真诚"),
        ("remaining_matches", "1"),
        ("notes", "老会员介绍"),
        ("real_name", "王小明"),
        ("id_card", "110101199003070000"),
        ("user_id", "u-77"),
        ("wechat_qrcode", "https://example.com/q.png"),
    ];
    let mut fields = MemberFields::default();
    for (column, text) in columns {
        fields.read(column.parse().unwrap(), Some(text)).unwrap();
    }
    fields
}

fn source() -> MemberSource {
    MemberSource::Row(SourceKey { source: "crm".into(), table: "members".into(), key: "7".into() })
}

pub(crate) fn member() -> Vec<MemberEvent> {
    let (by, at) = (Actor::System("intake".into()), at());
    let row = Some(RowFingerprint::of(&fields(), false));
    let changed = vec![
        FieldChange {
            field: MemberField::Nickname,
            old: Some(FieldValue::Text("小王".into())),
            new: Some(FieldValue::Text("王姐".into())),
        },
        FieldChange { field: MemberField::Height, old: None, new: Some(FieldValue::Number(166)) },
        FieldChange { field: MemberField::IsSuccess, old: Some(FieldValue::Flag(true)), new: None },
    ];
    vec![
        MemberRegistered {
            source: source(),
            fields: Box::new(fields()),
            row: row.clone(),
            registered_at: Some(at),
            by: by.clone(),
            at,
        }
        .into(),
        MemberUpdated { changed, row: row.clone(), by: by.clone(), at }.into(),
        MemberActivated { from: Some(MemberStatus::Pending.into()), row: row.clone(), by: by.clone(), at }
            .into(),
        MemberUpgraded {
            from: Some(MemberKind::Normal.into()),
            to: MemberKind::Annual,
            remaining_matches: Some(6),
            paid_at: Some(at),
            expires_at: Some(at),
            notes: Some("转账".into()),
            row: None,
            by: boss(),
            at,
        }
        .into(),
        MemberRevoked {
            from: Some(MemberStatus::Active.into()),
            reason: Some("资料不实".into()),
            row: None,
            by: boss(),
            at,
        }
        .into(),
        MemberDeleted { row, by: by.clone(), at }.into(),
        MemberRowSeen {
            agreed: vec![FieldChange {
                field: MemberField::City,
                old: None,
                new: Some(FieldValue::Text("杭州".into())),
            }],
            row: RowFingerprint::of(&fields(), false),
            by,
            at,
        }
        .into(),
    ]
}
