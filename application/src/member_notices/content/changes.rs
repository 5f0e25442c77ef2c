//! What is said of a member who changed: columns, a type paid for, a membership taken back.

use chrono::{DateTime, Utc};
use domain::member::{Code, FieldChange, MemberField as F, MemberFields, MemberRevoked, MemberUpgraded};

use super::{Subject, known, line, on_card, section, shortened};
use crate::access::{FieldView, free_text};
use crate::channels::wecom_app::{Line, Sheet};
use crate::texts::NOT_GIVEN;

/// Most characters of an old or a new value in a list of changes.
const CHANGED_VALUE_CHARS_MAX: usize = 40;

/// Columns of a member changed. `changes` are [`told_changes`].
pub fn updated(subject: &Subject<'_>, changes: &[&FieldChange], at: DateTime<Utc>) -> Sheet {
    let names: Vec<&str> = changes.iter().map(|change| change.field.label()).collect();
    let (names, at) = (names.join("、"), subject.moment(at));
    let list: Vec<Line> = changes.iter().map(|one| line(one.field.label(), change(one))).collect();
    let mut lines = subject.who();
    lines.extend([
        subject.labelled("性别", F::Gender),
        subject.labelled("出生年份", F::BirthYear),
        subject.labelled("身高", F::Height),
        subject.labelled("体重", F::Weight),
        line("所在地区", subject.home()),
        line("更新时间", at.clone()),
    ]);
    let mut card: Vec<Vec<Line>> = lines.iter().map(|line| vec![on_card(line)]).collect();
    // Height and weight stand on one line of a card; then what changed, with old and new where there is room.
    let weight = card.remove(6);
    card[5].extend(weight);
    card.extend(list.iter().map(|line| vec![on_card(line)]));
    let moment = card.remove(7);
    card.extend([moment, vec![line("更新内容", names.clone())]]);
    let sections = vec![section("会员信息", lines), section("更新内容", list.clone())];
    let said: Vec<String> = list.iter().map(|line| format!("{}：{}", line.label, line.value)).collect();
    let more = [("time", at), ("changed_fields", names), ("changes", said.join("；"))];
    let title = ("用户资料更新通知", "✅ 用户资料更新通知");
    Sheet { card, kept: 2, markdown: sections.clone(), text: sections, ..subject.sheet(title, &more) }
}

/// The changes that a message names: what is sensitive is none of its business, and neither are pictures and the ids of
/// other programs.
pub fn told_changes(changes: &[FieldChange]) -> Vec<&FieldChange> {
    let is_told = |change: &&FieldChange| {
        !change.field.is_sensitive() && !matches!(change.field, F::WechatQrcode | F::UserId)
    };
    changes.iter().filter(is_told).collect()
}

/// Old and new, as people read them.
pub(crate) fn change(change: &FieldChange) -> String {
    if change.field == F::Wechat {
        // Some roles that read this may not see it (`access`), and it is no phone that can be masked.
        return "（不显示）".to_owned();
    }
    let side = |value: &Option<_>| {
        let mut fields = MemberFields::default();
        fields.set(change.field, value.as_ref());
        let shown = known(&fields, change.field).unwrap_or_else(|| "（空）".to_owned());
        shortened(&shown, CHANGED_VALUE_CHARS_MAX)
    };
    format!("{} → {}", side(&change.old), side(&change.new))
}

/// A member paid for more.
pub fn upgraded(subject: &Subject<'_>, event: &MemberUpgraded) -> Sheet {
    let moment = |at: Option<DateTime<Utc>>| at.map_or(NOT_GIVEN.to_owned(), |at| subject.moment(at));
    let from = event.from.as_ref().map_or(NOT_GIVEN, Code::label).to_owned();
    let to = domain::member::MemberCode::label(event.to).to_owned();
    let matches = event.remaining_matches.map_or(NOT_GIVEN.to_owned(), |matches| matches.to_string());
    let notes = event.notes.as_deref().map_or(NOT_GIVEN.to_owned(), |text| free_text(FieldView::Base, text));
    let mut lines = subject.who();
    lines.extend([
        line("所属地区", subject.home()),
        line("原类型", from.clone()),
        line("新类型", to.clone()),
        line("匹配次数", matches.clone()),
        line("支付时间", moment(event.paid_at)),
        line("到期时间", moment(event.expires_at)),
        line("备注", notes),
    ]);
    let more =
        [("old_type", from), ("new_type", to), ("matches", matches), ("time", subject.moment(event.at))];
    subject.alike(("🚀 会员升级通知", "🚀 会员升级通知"), (lines, 0), &more)
}

/// A membership was taken back, by `operator`.
pub fn revoked(subject: &Subject<'_>, event: &MemberRevoked, operator: &str) -> Sheet {
    let reason =
        event.reason.as_deref().map_or(NOT_GIVEN.to_owned(), |text| free_text(FieldView::Base, text));
    let at = subject.moment(event.at);
    let mut lines = subject.who();
    lines.extend([
        subject.labelled("当前类型", F::Kind),
        line("所属地区", subject.home()),
        line("撤销时间", at.clone()),
        line("撤销原因", reason.clone()),
        line("操作人", operator.to_owned()),
    ]);
    let more = [("time", at), ("reason", reason), ("operator", operator.to_owned())];
    subject.alike(("⚠️ 会员撤销通知", "⚠️ 会员撤销通知"), (lines, 3), &more)
}
