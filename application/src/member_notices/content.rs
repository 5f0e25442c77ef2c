//! What is said of a member, scene by scene, in the words of existing-systems.md section 7.7.
//!
//! Two things are said otherwise than system S did: a phone is masked, and orientation, real name and identity card
//! stand nowhere, in words of one's own neither (fault S-23).

mod changes;
mod sample;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::MemberId;
use domain::member::{Member, MemberField as F, MemberFields, MemberPhone, REGISTERED_AT_LABEL};

pub(crate) use changes::change;
pub use changes::{revoked, told_changes, updated, upgraded};
pub use sample::tested;

use super::own_words;
use crate::access::{FieldView, free_text};
use crate::callbacks::members::MemberCard;
use crate::channels::wecom_app::{Line, OwnWords, Section, Sheet};
use crate::texts::NOT_GIVEN;

/// Stands where a member has no number.
pub(crate) const NO_NUMBER: &str = "未分配";
/// What the button says.
const LOOK: &str = "查看会员";
/// Most characters of one value on a card.
const CARD_VALUE_CHARS_MAX: usize = 24;
/// Most characters of what people wrote at length: two of them fit a message beside everything else.
const LONG_VALUE_CHARS_MAX: usize = 160;
/// The member a message is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'m> {
    /// Its id, for the link.
    pub id: MemberId,
    /// What is known of it.
    pub fields: &'m MemberFields,
    /// When the person registered.
    pub registered_at: DateTime<Utc>,
    /// The wall clock of the moments.
    pub zone: Tz,
    /// Words of one's own.
    pub own: Option<&'m str>,
}

impl<'m> Subject<'m> {
    /// A member as its events left it; `None` when nobody registered it.
    pub fn of(id: MemberId, member: &'m Member, zone: Tz, own: Option<&'m str>) -> Option<Self> {
        let registered_at = member.registered.as_ref()?.at;
        Some(Self { id, fields: &member.fields, registered_at, zone, own })
    }

    fn shown(&self, field: F) -> String {
        known(self.fields, field).unwrap_or_else(|| NOT_GIVEN.to_owned())
    }

    fn number(&self) -> String {
        known(self.fields, F::MemberNo).unwrap_or_else(|| NO_NUMBER.to_owned())
    }

    fn place(&self, fields: &[F]) -> String {
        let parts: Vec<String> = fields.iter().filter_map(|field| known(self.fields, *field)).collect();
        if parts.is_empty() { NOT_GIVEN.to_owned() } else { parts.join(" ") }
    }

    fn home(&self) -> String {
        self.place(&[F::Province, F::City, F::District])
    }

    fn household(&self) -> String {
        self.place(&[F::HukouProvince, F::HukouCity])
    }

    /// To the minute, on the wall clock.
    fn moment(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M").to_string()
    }

    fn labelled(&self, label: &'static str, field: F) -> Line {
        line(label, self.shown(field))
    }

    /// Number, nickname and masked phone: how a message other than a registration begins.
    fn who(&self) -> Vec<Line> {
        vec![
            line("会员编号", self.number()),
            self.labelled("昵称", F::Nickname),
            self.labelled("手机号", F::Phone),
        ]
    }

    fn sheet(&self, title: (&'static str, &'static str), more: &[(&'static str, String)]) -> Sheet {
        let values = || own_words::values(self.fields, title.1, more);
        let own = self.own.map(|template| OwnWords { template: template.to_owned(), values: values() });
        Sheet {
            card_title: title.0,
            title: title.1,
            card: vec![],
            kept: 0,
            text: vec![],
            markdown: vec![],
            closing: "",
            own,
            path: format!("/members/{}", self.id),
            button: LOOK,
        }
    }

    /// A message whose forms all have the same lines, the last `kept` of which stay on a card.
    fn alike(
        &self,
        title: (&'static str, &'static str),
        (lines, kept): (Vec<Line>, usize),
        more: &[(&'static str, String)],
    ) -> Sheet {
        let card = lines.iter().map(|line| vec![on_card(line)]).collect();
        let sections = vec![Section { heading: "会员信息", lines }];
        Sheet { card, kept, markdown: sections.clone(), text: sections, ..self.sheet(title, more) }
    }
}

/// What may be shown of a field; `None` when it is blank. A phone is masked, also where somebody typed it into a text;
/// a number of many digits is a number.
pub(crate) fn known(fields: &MemberFields, field: F) -> Option<String> {
    match field {
        F::Phone => fields.phone.as_ref().map(MemberPhone::masked),
        F::MemberNo => fields.shown(field),
        _ => fields.shown(field).map(|text| free_text(FieldView::Base, &text)),
    }
}

fn line(label: &'static str, value: String) -> Line {
    Line { label, value }
}

fn on_card(Line { label, value }: &Line) -> Line {
    Line { label, value: shortened(value, CARD_VALUE_CHARS_MAX) }
}

fn shortened(value: &str, max: usize) -> String {
    if value.chars().count() <= max {
        return value.to_owned();
    }
    value.chars().take(max - 1).chain(['…']).collect()
}

/// A member takes part from its registration on.
pub fn registered(subject: &Subject<'_>) -> Sheet {
    let at = subject.moment(subject.registered_at);
    let title = ("🎉 新会员登记通知", "🎉 新会员登记通知");
    announced(subject, title, &[(REGISTERED_AT_LABEL, at)], "请及时跟进新会员的后续服务工作")
}

/// A member takes part from now on; where it registered without taking part, this is the first that anybody hears of it.
pub fn activated(subject: &Subject<'_>, at: DateTime<Utc>) -> Sheet {
    let registered_at = subject.moment(subject.registered_at);
    let moments = [(REGISTERED_AT_LABEL, registered_at), ("激活时间", subject.moment(at))];
    announced(subject, ("✅ 会员激活通知", "✅ 会员激活通知"), &moments, "请及时跟进会员的后续服务工作")
}

fn announced(
    subject: &Subject<'_>,
    title: (&'static str, &'static str),
    moments: &[(&'static str, String)],
    closing: &'static str,
) -> Sheet {
    let moments: Vec<Line> = moments.iter().map(|(label, at)| line(label, at.clone())).collect();
    let time = moments.last().map(|line| line.value.clone()).unwrap_or_default();
    Sheet {
        card: card_of(subject, &moments),
        kept: moments.len(),
        text: text_of(subject, &moments),
        markdown: markdown_of(subject, &moments),
        closing,
        button: "查看详情",
        ..subject.sheet(title, &[("time", time)])
    }
}

fn card_of(subject: &Subject<'_>, moments: &[Line]) -> Vec<Vec<Line>> {
    let labelled = |label, field| on_card(&subject.labelled(label, field));
    let mut card = vec![
        vec![on_card(&line("会员编号", subject.number()))],
        vec![labelled("性别", F::Gender), labelled("出生年份", F::BirthYear)],
        vec![labelled("身高", F::Height), labelled("体重", F::Weight)],
        vec![labelled("学历", F::Education), labelled("职业", F::Occupation)],
        vec![on_card(&line("所在地", subject.home()))],
        vec![labelled("房车情况", F::HouseCar)],
    ];
    card.extend(moments.iter().map(|moment| vec![moment.clone()]));
    card
}

/// What people wrote at length, as far as there is room for the moments behind it.
fn told_at_length(subject: &Subject<'_>, moments: &[Line]) -> Vec<Section> {
    let long = |heading, field| alone(heading, shortened(&subject.shown(field), LONG_VALUE_CHARS_MAX));
    let mut sections = vec![long("个人说明", F::SelfDescription), long("择偶要求", F::PartnerRequirement)];
    sections.extend(moments.iter().map(|moment| alone(moment.label, moment.value.clone())));
    sections
}

fn section(heading: &'static str, lines: Vec<Line>) -> Section {
    Section { heading, lines }
}

fn alone(heading: &'static str, value: String) -> Section {
    section(heading, vec![line("", value)])
}

fn text_of(subject: &Subject<'_>, moments: &[Line]) -> Vec<Section> {
    let labelled = |label, field| subject.labelled(label, field);
    let facts = vec![
        line("会员编号", subject.number()),
        labelled("性别", F::Gender),
        labelled("出生年份", F::BirthYear),
        labelled("身高", F::Height),
        labelled("体重", F::Weight),
        labelled("学历", F::Education),
        labelled("职业", F::Occupation),
        line("所在地", subject.home()),
        line("户口所在地", subject.household()),
        labelled("目标区域", F::TargetArea),
        labelled("房车情况", F::HouseCar),
        labelled("婚史", F::MarriageHistory),
        labelled("孩子需求", F::ChildrenPlan),
        labelled("领证需求", F::MarriageCert),
    ];
    let mut sections = vec![section("会员信息", facts)];
    sections.extend(told_at_length(subject, moments));
    sections
}

fn markdown_of(subject: &Subject<'_>, moments: &[Line]) -> Vec<Section> {
    let labelled = |label, field| subject.labelled(label, field);
    let mut sections = vec![
        section(
            "基本信息",
            vec![
                line("会员编号", subject.number()),
                labelled("性别", F::Gender),
                labelled("出生年份", F::BirthYear),
                labelled("身高", F::Height),
                labelled("体重", F::Weight),
            ],
        ),
        section("教育职业", vec![labelled("学历", F::Education), labelled("职业", F::Occupation)]),
        section(
            "地区信息",
            vec![
                line("所在地", subject.home()),
                line("户口所在地", subject.household()),
                labelled("目标区域", F::TargetArea),
            ],
        ),
        section("基本条件", vec![labelled("房车情况", F::HouseCar)]),
        section(
            "婚恋意向",
            vec![
                labelled("婚史", F::MarriageHistory),
                labelled("孩子需求", F::ChildrenPlan),
                labelled("领证需求", F::MarriageCert),
            ],
        ),
    ];
    sections.extend(told_at_length(subject, moments));
    sections
}

/// Several messages told as one, with a line for each of the first.
pub fn digest(count: usize, lines: &str, path: &str) -> Sheet {
    let title = "📋 会员通知汇总";
    let lines: Vec<Line> = lines.lines().map(|text| line("", text.to_owned())).collect();
    let mut card = vec![vec![line("", format!("共 {count} 条会员通知"))]];
    card.extend(lines.iter().map(|line| vec![line.clone()]));
    let sections = vec![Section { heading: "会员通知", lines }];
    Sheet {
        card_title: title,
        title,
        card,
        kept: 0,
        markdown: sections.clone(),
        text: sections,
        closing: "",
        own: None,
        path: path.to_owned(),
        button: "查看通知",
    }
}

/// What whoever asks the application for a member reads (existing-systems.md section 7.8): nothing sensitive, and the
/// phone masked.
pub fn card(fields: &MemberFields) -> Option<MemberCard> {
    let number = fields.member_no.as_ref()?.as_str().to_owned();
    let lines =
        SHOWN_ON_A_CARD.iter().filter_map(|field| Some((field.label().to_owned(), known(fields, *field)?)));
    let phone = fields.phone.as_ref().map(|phone| phone.as_str().to_owned());
    Some(MemberCard { number, phone, lines: lines.collect() })
}

const SHOWN_ON_A_CARD: [F; 18] = [
    F::Nickname,
    F::Kind,
    F::Status,
    F::Gender,
    F::BirthYear,
    F::Height,
    F::Weight,
    F::Education,
    F::Occupation,
    F::Province,
    F::City,
    F::District,
    F::HouseCar,
    F::MarriageHistory,
    F::ChildrenPlan,
    F::MarriageCert,
    F::SelfDescription,
    F::PartnerRequirement,
];
