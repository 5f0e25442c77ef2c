//! What a registration will look like, for whoever sets it up.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::MemberId;
use domain::member::{MemberField as F, MemberFields};

use super::{Subject, registered};
use crate::channels::wecom_app::Sheet;

/// A member nobody is, so that somebody sees how a registration will look.
pub fn tested(zone: Tz, at: DateTime<Utc>, own: Option<&str>) -> Sheet {
    let mut fields = MemberFields::default();
    for (field, text) in SAMPLE {
        // The sample is within every rule; a test holds it to that.
        let _ = fields.read(*field, Some(text));
    }
    let id = MemberId(uuid::Uuid::nil());
    let subject = Subject { id, fields: &fields, registered_at: at, zone, own };
    let title = "【测试】🎉 新会员登记通知";
    Sheet { card_title: title, title, path: "/members".to_owned(), ..registered(&subject) }
}

/// The member of a test.
const SAMPLE: &[(F, &str)] = &[
    (F::MemberNo, "TEST001"),
    (F::Nickname, "测试会员"),
    (F::Phone, "13800000000"),
    (F::Gender, "female"),
    (F::BirthYear, "1995"),
    (F::Height, "165"),
    (F::Weight, "50"),
    (F::Education, "BACHELOR"),
    (F::Occupation, "教师"),
    (F::Province, "浙江省"),
    (F::City, "杭州市"),
    (F::District, "西湖区"),
    (F::HouseCar, "HOUSE_ONLY"),
    (F::SelfDescription, "这是一条测试消息，并没有这位会员。"),
];
