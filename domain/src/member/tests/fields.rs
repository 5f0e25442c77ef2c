//! What columns hold, and how people read it.

use super::*;

#[test]
fn every_code_has_its_chinese_word_and_every_spelling_means_it() {
    for (column, text, code, label) in [
        ("type", "ONE_TIME", "ONE_TIME", "一次性会员"),
        ("type", "VIP", "VIP", "VIP会员"),
        ("status", " active ", "ACTIVE", "激活"),
        ("status", "PENDING", "PENDING", "待激活"),
        ("gender", "Female", "female", "女"),
        ("education", "PHD", "PHD", "博士"),
        ("education", "DOCTOR", "PHD", "博士"),
        ("education", "本科", "BACHELOR", "本科"),
        ("house_car", "HOUSE_ONLY", "HOUSE_ONLY", "有房无车"),
        ("children_plan", "NEGOTIABLE", "NEGOTIATE", "互相协商"),
        ("marriage_cert", "NEGOTIABLE", "NEGOTIATE", "互相协商"),
        ("marriage_cert", "NEGOTIATE", "NEGOTIATE", "互相协商"),
        ("marriage_history", "YES", "YES", "有婚史"),
        ("sexual_orientation", "ASEXUAL", "ASEXUAL", "无性恋"),
        ("education", " 博士后 ", "博士后", "博士后"),
        ("gender", "other", "other", "other"),
    ] {
        let field: MemberField = column.parse().unwrap();
        let row = fields(&[(column, text)]);
        assert_eq!(row.get(field), Some(FieldValue::Text(code.into())), "{column} {text}");
        assert_eq!(row.shown(field).as_deref(), Some(label), "{column} {text}");
        assert_eq!(field.show(&FieldValue::Text(text.into())), label, "{column} {text}");
    }
}

#[test]
fn unknown_codes_are_kept_and_named() {
    let row = fields(&[("education", "MBA"), ("status", "ACTIVE"), ("house_car", "YACHT"), ("city", "X")]);
    assert_eq!(row.unknown_codes(), [(MemberField::Education, "MBA"), (MemberField::HouseCar, "YACHT")]);
    let written = serde_json::to_string(&row).unwrap();
    assert_eq!(serde_json::from_str::<MemberFields>(&written).unwrap(), row);
}

#[test]
fn a_column_reads_what_databases_and_spreadsheets_write() {
    for (column, text, value) in [
        ("birth_year", "1990.0", FieldValue::Number(1990)),
        ("height", " 170 ", FieldValue::Number(170)),
        ("remaining_matches", "-1", FieldValue::Number(-1)),
        ("is_success", "0", FieldValue::Flag(false)),
        ("is_success", "t", FieldValue::Flag(true)),
        ("is_success", "是", FieldValue::Flag(true)),
        ("phone", "+86 138-1234-8999", FieldValue::Text("13812348999".into())),
        ("phone", " 1 (650) 253 ", FieldValue::Text("1 (650) 253".into())),
        ("nickname", "  小王\n", FieldValue::Text("小王".into())),
        ("nickname", "小\0王", FieldValue::Text("小王".into())),
    ] {
        let field = column.parse().unwrap();
        assert_eq!(fields(&[(column, text)]).get(field), Some(value), "{column} {text}");
    }
}

#[test]
fn a_text_that_is_no_value_names_its_rule_and_changes_nothing() {
    let long = "长".repeat(SHORT_TEXT_CHARS_MAX + 1);
    for (column, text, rule) in [
        ("height", "170cm", "必须是整数"),
        ("height", "170.5", "必须是整数"),
        ("birth_year", "99999999999999999999", "必须是整数"),
        ("is_success", "maybe", "必须是是或否"),
        ("nickname", long.as_str(), "不能超过500个字符"),
        ("wechat", long.as_str(), "不能超过64个字符"),
        ("phone", long.as_str(), "不能超过32个字符"),
        ("gender", long.as_str(), "不能超过64个字符"),
    ] {
        let mut row = person();
        let fault = row.read(column.parse().unwrap(), Some(text)).unwrap_err();
        assert_eq!(fault.to_string(), rule, "{column}");
        assert_eq!(row, person());
    }
}

#[test]
fn a_blank_and_a_null_are_the_same() {
    for text in [None, Some(""), Some(" \n")] {
        let mut row = person();
        for field in MemberField::ALL {
            row.read(*field, text).unwrap();
        }
        assert_eq!(row, MemberFields::default());
    }
}

#[test]
fn no_debug_text_shows_who_a_member_is() {
    let secrets = [
        ("real_name", "王小明"),
        ("id_card", "110101199003070000"),
        ("phone", "13812348999"),
        ("wechat", "wang_88"),
        ("sexual_orientation", "ASEXUAL"),
        ("wechat_qrcode", "https://example.com/q.png"),
    ];
    let row = fields(&secrets);
    let changes = MemberFields::default().changes_to(&row);
    let mut patch = MemberPatch::default();
    for change in &changes {
        patch.set(change.field, change.new.as_ref());
    }
    let seen = MemberRowSeen {
        agreed: changes.clone(),
        row: RowFingerprint::of(&row, false),
        by: boss(),
        at: at(0),
    };
    let texts = [
        format!("{row:?} {row:#?} {changes:?} {patch:?} {seen:?}"),
        format!("{:?} {:?}", registered(row.clone()), register(row.clone())),
        format!("{:?} {:?}", update(patch), super::rows::row(row.clone(), false)),
        format!("{:?}", after::<Member>(&[registered(row)])),
    ];
    let shown = texts.concat().replace("Asexual", "ASEXUAL");
    for (column, secret) in secrets {
        assert!(!shown.contains(secret), "{column}");
    }
    assert!(shown.contains("138****8999"), "{shown}");
}

#[test]
fn the_columns_are_those_of_the_source_and_each_has_a_name() {
    let names: std::collections::BTreeSet<_> = MemberField::ALL.iter().map(|f| f.as_str()).collect();
    let labels: std::collections::BTreeSet<_> = MemberField::ALL.iter().map(|f| f.label()).collect();
    assert_eq!((names.len(), labels.len()), (32, 32));
    for field in MemberField::ALL {
        assert_eq!(field.as_str().parse(), Ok(*field));
        assert_eq!(serde_json::to_value(field).unwrap(), field.as_str());
    }
    assert!("deleted".parse::<MemberField>().is_err());
}

#[test]
fn a_fingerprint_tells_rows_apart_and_knows_the_same_row() {
    let of = |columns: &[(&str, &str)], deleted| RowFingerprint::of(&fields(columns), deleted);
    let row = [("nickname", "a"), ("city", "b")];
    assert_eq!(of(&row, false), of(&[("city", " b "), ("nickname", "a"), ("notes", "")], false));
    assert_eq!(of(&row, false).as_str().len(), 64);
    for (other, deleted) in [
        (vec![("nickname", "ab")], false),
        (vec![("nickname", "a")], false),
        (vec![("nickname", "b"), ("city", "a")], false),
        (row.to_vec(), true),
    ] {
        assert_ne!(of(&row, false), of(&other, deleted), "{other:?}");
    }
}
