//! The forms of members.

use domain::member::{FieldValue, MemberField, MemberKind};

use super::*;
use crate::forms::{RegisterMember, RegisterMyself, RevokeMember, UpdateMember, UpgradeMember};

fn person() -> Value {
    json!({"member_no": "M1001", "wechat": "wang_88", "phone": "138 1234 8999"})
}

#[test]
fn a_registration_reads_every_column() {
    let body = json!({
        "member_no": " M1001 ", "nickname": "小王", "wechat": "wang_88", "phone": "+8613812348999", "type": "ANNUAL",
        "status": "PENDING", "is_success": false, "gender": "女", "birth_year": "1990", "height": 165, "weight": 50,
        "education": "DOCTOR", "occupation": "教师", "province": "浙江", "city": "杭州", "district": "西湖区",
        "target_area": "杭州", "hukou_province": "江苏", "hukou_city": "苏州", "house_car": "HOUSE_ONLY",
        "children_plan": "NEGOTIATE", "marriage_cert": "NEGOTIABLE", "marriage_history": "NO",
        "sexual_orientation": "LES", "self_description": "第一行\n第二行", "partner_requirement": "真诚",
        "remaining_matches": 3, "notes": "老会员介绍", "real_name": "王小明", "id_card": "110101199003070000",
        "user_id": "u-77", "wechat_qrcode": "https://example.com/q.png",
    });
    let RegisterMember(member) = RegisterMember::parse(body).unwrap();
    for field in MemberField::ALL {
        assert!(member.get(*field).is_some(), "{field}");
    }
    let text = |field| match member.get(field) {
        Some(FieldValue::Text(text)) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(text(MemberField::MemberNo), "M1001");
    assert_eq!(text(MemberField::Phone), "13812348999");
    assert_eq!(text(MemberField::Gender), "female");
    assert_eq!(text(MemberField::Education), "PHD");
    assert_eq!(member.get(MemberField::BirthYear), Some(FieldValue::Number(1990)));
}

#[test]
fn a_registration_names_what_is_wrong_and_calls_it_as_the_staff_does() {
    for (key, value, rule, says) in [
        ("member_no", json!(" "), "required", "会员编号不能为空"),
        ("wechat", Value::Null, "required", "微信号不能为空"),
        ("phone", json!("12345"), "phone", "请输入有效的中国手机号码"),
        ("type", json!("GOLD"), "unknown_code", "会员类型必须是以下值之一：NORMAL、ONE_TIME、ANNUAL、VIP"),
        ("height", json!(17), "out_of_range", "身高必须在50到260之间"),
        ("birth_year", json!("九零"), "not_a_number", "出生年份必须是数字"),
        ("weight", json!(50.5), "not_whole", "体重必须是整数"),
        ("is_success", json!(1), "not_a_bool", "是否成功必须是true或false"),
        ("nickname", json!("小\n王"), "control_character", "昵称不能包含控制字符"),
        ("city", json!(7), "not_text", "城市必须是文本"),
        ("member_no", json!("M".repeat(65)), "too_long", "会员编号不能超过64个字符"),
        ("deleted", json!(false), "unknown_field", "不支持的字段：deleted"),
    ] {
        let errors = RegisterMember::parse(with(person(), key, value)).unwrap_err();
        let [error] = errors.as_slice() else { panic!("{key}: {errors:?}") };
        assert_eq!((error.path.as_str(), error.rule.code(), error.message_zh.as_str()), (key, rule, says));
    }
}

#[test]
fn what_the_staff_decides_nobody_says_of_themselves() {
    let myself = without(person(), "member_no");
    let RegisterMyself(member) =
        RegisterMyself::parse(with(myself.clone(), "nickname", json!("小王"))).unwrap();
    assert_eq!(member.nickname.as_deref(), Some("小王"));
    for (key, value) in [
        ("member_no", json!("M1")),
        ("status", json!("ACTIVE")),
        ("type", json!("VIP")),
        ("remaining_matches", json!(9)),
        ("id_card", json!("1")),
        ("notes", json!("x")),
    ] {
        let read = RegisterMyself::parse(with(myself.clone(), key, value));
        assert_eq!(violations(read), one(key, "unknown_field"));
    }
    assert_eq!(violations(RegisterMyself::parse(without(myself, "phone"))), one("phone", "required"));
}

#[test]
fn an_update_leaves_clears_and_sets() {
    let body = json!({"nickname": null, "city": "杭州", "occupation": " ", "height": 170});
    let UpdateMember(changes) = UpdateMember::parse(body).unwrap();
    assert_eq!(changes.nickname, Some(None));
    assert_eq!(changes.city, Some(Some("杭州".into())));
    assert_eq!((changes.occupation, changes.height), (None, Some(Some(170))));
    assert!(UpdateMember::parse(json!({})).unwrap().0.is_empty());
}

#[test]
fn an_update_moves_neither_type_nor_status_and_keeps_the_identity() {
    for (key, value, rule) in [
        ("type", json!("ANNUAL"), "fixed"),
        ("status", Value::Null, "fixed"),
        ("phone", Value::Null, "not_clearable"),
        ("member_no", Value::Null, "not_clearable"),
        ("id", json!(7), "unknown_field"),
    ] {
        assert_eq!(violations(UpdateMember::parse(json!({ key: value }))), one(key, rule));
    }
}

#[test]
fn an_upgrade_names_its_type_and_a_revocation_its_reason() {
    let body = json!({"type": "年费会员", "remaining_matches": 8, "paid_at": "2026-03-02", "notes": "转账"});
    let UpgradeMember(upgrade) = UpgradeMember::parse(body).unwrap();
    assert_eq!((upgrade.to, upgrade.remaining_matches), (MemberKind::Annual, Some(8)));
    assert_eq!(upgrade.paid_at.map(|at| at.to_rfc3339()), Some("2026-03-02T00:00:00+00:00".to_owned()));
    assert_eq!(violations(UpgradeMember::parse(json!({}))), one("type", "required"));
    let late = json!({"type": "VIP", "expires_at": "soon"});
    assert_eq!(violations(UpgradeMember::parse(late)), one("expires_at", "date"));

    let reason = |body| RevokeMember::parse(body).map(|form| form.reason);
    assert_eq!(reason(Value::Null), Ok(None));
    assert_eq!(reason(json!({"reason": "资料不实"})), Ok(Some("资料不实".into())));
    assert_eq!(violations(reason(json!({"why": "x"}))), one("why", "unknown_field"));
}
