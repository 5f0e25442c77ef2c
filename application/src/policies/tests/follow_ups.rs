//! Who hears of a follow-up.

use domain::FollowUpId;
use domain::customer::{FollowUpKind, FollowUpRecorded};

use super::*;

const SCENE: &str = kinds::CUSTOMER_FOLLOW_UP_ADDED;

fn followed_up(by: StaffId, kind: FollowUpKind, content: &str) -> CustomerEvent {
    let id = FollowUpId(Uuid::from_u128(300));
    let content = content.to_owned();
    FollowUpRecorded { id, kind, content, next_follow_up_at: None, by: Actor::Staff(by), at: at() }.into()
}

fn owned(event: CustomerEvent) -> Happened {
    lead(vec![created(ADMIN), assigned(NEW, ADMIN, Create), event])
}

#[test]
fn a_follow_up_tells_the_owner_unless_they_wrote_it() {
    let by = |author| followed_up(author, FollowUpKind::Phone, "已联系，下周面谈");
    check(owned(by(MANAGER)), &[(NEW, SCENE, INBOX)]);
    check(owned(by(NEW)), &[(NEW, SCENE, ACTOR)]);
    check(lead(vec![created(ADMIN), by(MANAGER)]), &[]);
}

#[test]
fn a_note_that_no_person_wrote_tells_nobody() {
    check(owned(followed_up(ADMIN, FollowUpKind::Other, "系统：负责人由 张三 变更为 李四")), &[]);
}

#[test]
fn a_long_follow_up_is_cut_between_characters() {
    let shown = |content: &str| {
        let (_, reactions) = answer(owned(followed_up(MANAGER, FollowUpKind::Phone, content)), &wechat());
        let message = reactions[0].notice.clone().unwrap().message;
        let summary = message.data["summary"].as_str().unwrap().to_owned();
        assert_eq!(message.content, format!("经理乙 对客户【陈女士】添加了跟进记录：{summary}"));
        summary
    };
    assert_eq!(shown("已联系"), "已联系");
    assert_eq!(shown(&"好".repeat(80)), "好".repeat(80));
    assert_eq!(shown(&"好".repeat(81)), format!("{}…", "好".repeat(79)));
    assert_eq!(shown(&"😀".repeat(200)).chars().count(), 80);
}
