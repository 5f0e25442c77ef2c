//! The words of existing-systems.md section 7.7, whole.

use chrono::{DateTime, TimeDelta, Utc};
use domain::member::{
    FieldChange, FieldValue, MemberField, MemberFields, MemberKind, MemberRevoked, MemberUpgraded,
};
use domain::{Actor, MemberId};
use uuid::Uuid;

use super::*;
use crate::channels::wecom_app::{Kind, Settings, Sheet, render_sheet};

const STAMP: &str = "2026-03-02 00:05 #0A1B2C3D";

fn at() -> DateTime<Utc> {
    "2026-03-01T16:05:00Z".parse().unwrap()
}

fn fields() -> MemberFields {
    read(&[
        ("member_no", "M12345"),
        ("nickname", "小王"),
        ("wechat", "wang_88"),
        ("phone", "13812348999"),
        ("type", "NORMAL"),
        ("status", "ACTIVE"),
        ("gender", "female"),
        ("birth_year", "1995"),
        ("height", "165"),
        ("weight", "50"),
        ("education", "BACHELOR"),
        ("occupation", "教师"),
        ("province", "浙江省"),
        ("city", "杭州市"),
        ("district", "西湖区"),
        ("target_area", "上海"),
        ("hukou_province", "江苏省"),
        ("hukou_city", "南京市"),
        ("house_car", "HOUSE_ONLY"),
        ("children_plan", "NEGOTIATE"),
        ("marriage_cert", "WANT"),
        ("marriage_history", "NO"),
        ("sexual_orientation", "STRAIGHT_FEMALE"),
        ("self_description", "喜欢旅行，电话 13987654321"),
        ("partner_requirement", "温和"),
        ("real_name", "王小花"),
        ("id_card", "330106199501011234"),
    ])
}

fn read(columns: &[(&str, &str)]) -> MemberFields {
    let mut fields = MemberFields::default();
    for (column, text) in columns {
        fields.read(column.parse().unwrap(), Some(text)).unwrap();
    }
    fields
}

fn subject(fields: &MemberFields) -> Subject<'_> {
    let id = MemberId(Uuid::from_u128(7));
    Subject { id, fields, registered_at: at(), zone: chrono_tz::Tz::Asia__Shanghai, own: None }
}

/// What the person reads, with line ends for breaks.
fn shown(kind: Kind, sheet: &Sheet) -> String {
    let public_url = Some("https://crm.example.com".to_owned());
    let settings = Settings { corp: "ww1".to_owned(), agent: 7, kind, public_url };
    let to = Receivers { users: "a".to_owned(), ..Receivers::default() };
    let body: serde_json::Value =
        serde_json::from_str(&render_sheet(&settings, kind, &to, STAMP, sheet)).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    match kind {
        Kind::Textcard => {
            let card = &body["textcard"];
            let parts = ["title", "description", "url", "btntxt"].map(|part| text(&card[part]));
            let body = parts[1].strip_suffix("</div>").unwrap();
            let body = body.split_once("<div class=\"normal\">").unwrap().1.replace("<br>", "\n");
            format!("{}\n{body}\n{} {}", parts[0], parts[2], parts[3])
        }
        Kind::Text => text(&body["text"]["content"]),
        Kind::Markdown => text(&body["markdown"]["content"]),
    }
}

const URL: &str = "https://crm.example.com/members/00000000-0000-0000-0000-000000000007";

#[test]
fn a_new_member_has_the_words_of_system_s() {
    let fields = fields();
    let sheet = registered(&subject(&fields));
    assert_eq!(
        shown(Kind::Textcard, &sheet),
        format!(
            "🎉 新会员登记通知\n会员编号：M12345\n性别：女 | 出生年份：1995\n身高：165 | 体重：50\n\
             学历：本科 | 职业：教师\n所在地：浙江省 杭州市 西湖区\n房车情况：有房无车\n\
             登记时间：2026-03-02 00:05\n{URL} 查看详情"
        )
    );
    assert_eq!(
        shown(Kind::Text, &sheet),
        format!(
            "🎉 新会员登记通知\n【会员信息】\n• 会员编号：M12345\n• 性别：女\n• 出生年份：1995\n• 身高：165\n\
             • 体重：50\n• 学历：本科\n• 职业：教师\n• 所在地：浙江省 杭州市 西湖区\n• 户口所在地：江苏省 南京市\n\
             • 目标区域：上海\n• 房车情况：有房无车\n• 婚史：无婚史\n• 孩子需求：互相协商\n• 领证需求：要\n\
             【个人说明】\n喜欢旅行，电话 139****4321\n【择偶要求】\n温和\n【登记时间】\n2026-03-02 00:05\n\
             请及时跟进新会员的后续服务工作\n<a href=\"{URL}\">查看详情</a>\n{STAMP}"
        )
    );
    assert_eq!(
        shown(Kind::Markdown, &sheet),
        format!(
            "**🎉 新会员登记通知**\n### 基本信息\n> 会员编号：M12345\n> 性别：女\n> 出生年份：1995\n> 身高：165\n\
             > 体重：50\n### 教育职业\n> 学历：本科\n> 职业：教师\n### 地区信息\n> 所在地：浙江省 杭州市 西湖区\n\
             > 户口所在地：江苏省 南京市\n> 目标区域：上海\n### 基本条件\n> 房车情况：有房无车\n### 婚恋意向\n\
             > 婚史：无婚史\n> 孩子需求：互相协商\n> 领证需求：要\n### 个人说明\n\
             > 喜欢旅行，电话 139＊＊＊＊4321\n### 择偶要求\n> 温和\n### 登记时间\n> 2026-03-02 00:05\n\
             请及时跟进新会员的后续服务工作\n[查看详情]({URL})\n<font color=\"comment\">{STAMP}</font>"
        )
    );
}

#[test]
fn however_much_people_write_the_moment_of_registration_is_told() {
    let long = "很".repeat(5000);
    let mut fields = fields();
    fields.read(MemberField::SelfDescription, Some(&long)).unwrap();
    fields.read(MemberField::PartnerRequirement, Some(&long)).unwrap();
    for kind in [Kind::Text, Kind::Markdown, Kind::Textcard] {
        let shown = shown(kind, &registered(&subject(&fields)));
        assert!(shown.contains("2026-03-02 00:05\n"), "{shown}");
    }
}

#[test]
fn blanks_say_so_and_a_member_without_a_number_too() {
    let fields = MemberFields::default();
    let card = shown(Kind::Textcard, &registered(&subject(&fields)));
    assert!(card.contains("会员编号：未分配\n性别：未填写 | 出生年份：未填写\n"), "{card}");
    let text = shown(Kind::Text, &registered(&subject(&fields)));
    assert!(text.contains("• 所在地：未填写\n") && text.contains("【个人说明】\n未填写\n"), "{text}");
}

#[test]
fn an_activation_says_since_when() {
    let fields = fields();
    let card = shown(Kind::Textcard, &activated(&subject(&fields), at() + TimeDelta::days(1)));
    assert!(card.starts_with("✅ 会员激活通知\n会员编号：M12345\n"), "{card}");
    assert!(card.contains("登记时间：2026-03-02 00:05\n激活时间：2026-03-03 00:05\n"), "{card}");
}

fn changed(field: MemberField, old: Option<&str>, new: Option<&str>) -> FieldChange {
    let value = |text: Option<&str>| text.map(|text| FieldValue::Text(text.to_owned()));
    FieldChange { field, old: value(old), new: value(new) }
}

#[test]
fn an_update_lists_what_changed_and_hides_what_is_nobodys_business() {
    let fields = fields();
    let changes = [
        changed(MemberField::Phone, None, Some("13812348999")),
        changed(MemberField::Occupation, Some("护士"), Some("教师")),
        changed(MemberField::Education, Some("MASTER"), Some("BACHELOR")),
        changed(MemberField::Notes, Some("打 13700001111"), None),
        changed(MemberField::IdCard, Some("330106199501011233"), Some("330106199501011234")),
        changed(MemberField::SexualOrientation, None, Some("LES")),
        changed(MemberField::RealName, None, Some("王小花")),
        changed(MemberField::WechatQrcode, None, Some("https://x/qr.png")),
    ];
    let sheet = updated(&subject(&fields), &told_changes(&changes), at());
    assert_eq!(
        shown(Kind::Textcard, &sheet),
        format!(
            "用户资料更新通知\n会员编号：M12345\n昵称：小王\n手机号：138****8999\n性别：女\n出生年份：1995\n\
             身高：165 | 体重：50\n所在地区：浙江省 杭州市 西湖区\n手机号：（空） → 138****8999\n\
             职业：护士 → 教师\n学历：硕士 → 本科\n备注：打 137****1111 → （空）\n更新时间：2026-03-02 00:05\n\
             更新内容：手机号、职业、学历、备注\n{URL} 查看会员"
        )
    );
    let text = shown(Kind::Text, &sheet);
    assert!(text.starts_with("✅ 用户资料更新通知\n【会员信息】\n• 会员编号：M12345\n"), "{text}");
    assert!(
        text.contains(
            "【更新内容】\n• 手机号：（空） → 138****8999\n• 职业：护士 → 教师\n• 学历：硕士 → 本科\n\
             • 备注：打 137****1111 → （空）\n"
        ),
        "{text}"
    );
    for kind in [Kind::Textcard, Kind::Text, Kind::Markdown] {
        let shown = shown(kind, &sheet);
        for secret in ["13812348999", "3301061995", "LES", "王小花", "qr.png", "13700001111"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
}

#[test]
fn an_upgrade_and_a_revocation_have_the_words_of_system_s() {
    let fields = fields();
    let upgrade = MemberUpgraded {
        from: Some(MemberKind::Normal.into()),
        to: MemberKind::Annual,
        remaining_matches: Some(6),
        paid_at: Some(at()),
        expires_at: None,
        notes: Some("续费".to_owned()),
        row: None,
        by: Actor::System("test".to_owned()),
        at: at(),
    };
    assert_eq!(
        shown(Kind::Textcard, &upgraded(&subject(&fields), &upgrade)),
        format!(
            "🚀 会员升级通知\n会员编号：M12345\n昵称：小王\n手机号：138****8999\n所属地区：浙江省 杭州市 西湖区\n\
             原类型：普通会员\n新类型：年费会员\n匹配次数：6\n支付时间：2026-03-02 00:05\n到期时间：未填写\n\
             备注：续费\n{URL} 查看会员"
        )
    );
    let revocation = MemberRevoked {
        from: None,
        reason: Some("资料不实".to_owned()),
        row: None,
        by: Actor::System("test".to_owned()),
        at: at(),
    };
    assert_eq!(
        shown(Kind::Textcard, &revoked(&subject(&fields), &revocation, "李经理")),
        format!(
            "⚠️ 会员撤销通知\n会员编号：M12345\n昵称：小王\n手机号：138****8999\n当前类型：普通会员\n\
             所属地区：浙江省 杭州市 西湖区\n撤销时间：2026-03-02 00:05\n撤销原因：资料不实\n操作人：李经理\n\
             {URL} 查看会员"
        )
    );
}

#[test]
fn words_of_ones_own_are_honoured() {
    let fields = fields();
    let own = "{{event}} {{nickname}}（{{phone}}），{{location}}，{{marriage_history}}，{{reason}}";
    let with_own = Subject { own: Some(own), ..subject(&fields) };
    let text = shown(Kind::Text, &registered(&with_own));
    assert!(
        text.starts_with(
            "🎉 新会员登记通知\n🎉 新会员登记通知 小王（138****8999），浙江省 杭州市 西湖区，无婚史，\n<a"
        ),
        "{text}"
    );
}

#[test]
fn what_is_sensitive_stands_nowhere_even_in_words_that_were_saved_with_it() {
    let fields = fields();
    let own = "[{{id_card}}] [{{real_name}}] [{{sexual_orientation}}] [{{nickname}}]";
    let saved = Subject { own: Some(own), ..subject(&fields) };
    for kind in [Kind::Textcard, Kind::Text, Kind::Markdown] {
        let own = shown(kind, &registered(&saved));
        assert!(own.contains("[] [] [] [小王]"), "{own}");
        for shown in [own, shown(kind, &registered(&subject(&fields)))] {
            for secret in ["直女", "王小花", "33010619950101", "13812348999"] {
                assert!(!shown.contains(secret), "{secret}: {shown}");
            }
        }
    }
}

#[test]
fn a_template_names_what_there_is_and_nothing_sensitive() {
    let unknown = |name: &str| Some(OwnWordsFault::Unknown(name.to_owned()));
    let sensitive = |field| Some(OwnWordsFault::Sensitive(field));
    for (template, fault) in [
        ("{{nickname}} {{phone}} {{changes}} {{operator}}", None),
        ("没有占位符", None),
        ("{{wechat_qrcode}}", unknown("wechat_qrcode")),
        ("{{nick}}", unknown("nick")),
        ("{{nickname}} {{id_card}}", sensitive(MemberField::IdCard)),
        ("{{real_name}}", sensitive(MemberField::RealName)),
        ("{{sexual_orientation}} {{nick}}", sensitive(MemberField::SexualOrientation)),
        ("{{nickname", Some(OwnWordsFault::LooseBraces)),
    ] {
        assert_eq!(own_words_fault(template), fault, "{template}");
    }
    for name in NAMEABLE {
        assert_eq!(own_words_fault(&format!("{{{{{name}}}}}")), None, "{name} is offered");
    }
}

#[test]
fn a_test_is_about_nobody() {
    let card = shown(Kind::Textcard, &tested(chrono_tz::Tz::Asia__Shanghai, at(), None));
    assert!(card.starts_with("【测试】🎉 新会员登记通知\n会员编号：TEST001\n性别：女"), "{card}");
    assert!(card.ends_with("https://crm.example.com/members 查看详情"), "{card}");
    assert!(!card.contains("未填写"), "the sample is within the rules: {card}");
}

#[test]
fn receivers_are_as_wecom_wants_them() {
    let some = WecomAudience {
        users: vec!["a".to_owned(), "b".to_owned()],
        parties: vec![2, 3],
        tags: vec![9],
        everybody: false,
    };
    let said = receivers(&some);
    assert_eq!((said.users.as_str(), said.parties.as_str(), said.tags.as_str()), ("a|b", "2|3", "9"));
    let everybody = receivers(&WecomAudience { everybody: true, ..WecomAudience::default() });
    assert_eq!(everybody.users, "@all");
}

/// A message as it stands in the outbox.
fn stored(to: &WecomAudience) -> String {
    let settings = Settings { corp: "ww1".to_owned(), agent: 7, kind: Kind::Text, public_url: None };
    render_sheet(&settings, Kind::Text, &receivers(to), STAMP, &registered(&subject(&fields())))
}

fn people(names: &[&str]) -> WecomAudience {
    WecomAudience { users: names.iter().map(|&name| name.to_owned()).collect(), ..WecomAudience::default() }
}

#[test]
fn a_message_leaves_for_whoever_is_chosen_when_it_leaves() {
    let both = people(&["ZhangSan", "LiSi"]);
    let everybody = WecomAudience { everybody: true, ..WecomAudience::default() };
    let week = OFF_HELD_MAX;
    let to = |audience: &WecomAudience| Leaving::As(stored(audience));
    let held = Leaving::Held { until: at() + week };
    let never = |why| Leaving::Never(why);
    let (on, off) = (true, false);
    let (fresh, repeats) = (false, true);
    for (chosen, enabled, repeats, age, expected) in [
        (&both, on, fresh, TimeDelta::zero(), Leaving::AsItIs),
        (&people(&["LiSi"]), on, fresh, TimeDelta::zero(), to(&people(&["LiSi"]))),
        (&people(&["WangWu"]), on, fresh, week, to(&people(&["WangWu"]))),
        (&everybody, on, fresh, TimeDelta::zero(), to(&everybody)),
        (&people(&[]), on, fresh, TimeDelta::zero(), never("nobody is chosen to hear of members any more")),
        (&people(&["WangWu"]), off, fresh, TimeDelta::zero(), held),
        (&both, off, fresh, week, never("messages about members were switched off for too long")),
        // A repetition of what may have arrived: the very bytes, or none.
        (&both, off, repeats, week, Leaving::AsItIs),
        (&people(&["ZhangSan", "LiSi", "WangWu"]), on, repeats, TimeDelta::zero(), Leaving::AsItIs),
        (&everybody, on, repeats, TimeDelta::zero(), Leaving::AsItIs),
        (
            &people(&["LiSi", "WangWu"]),
            on,
            repeats,
            TimeDelta::zero(),
            never("somebody who may have been told already is not chosen any more"),
        ),
    ] {
        let text = MemberNoticesText { audience: chosen.clone(), enabled, ..MemberNoticesText::default() };
        let body = stored(&both);
        let message = Waiting { body: &body, created_at: at(), repeats };
        assert_eq!(leaving(&text, message, at() + age), expected, "{chosen:?} {enabled} {repeats}");
    }
    let message = Waiting { body: "{", created_at: at(), repeats: fresh };
    let text = MemberNoticesText { audience: both, ..MemberNoticesText::default() };
    assert_eq!(leaving(&text, message, at()), never("the stored request names no receivers"));
}
