//! The team and the channel of the rows.

use super::*;

/// The team.
pub(super) fn directory() -> StaffDirectory {
    let mut staff = StaffDirectory::default();
    let people = [
        (ADMIN, "管理员甲", Role::Admin),
        (MANAGER, "经理乙", Role::Manager),
        (OPERATOR, "运营丙", Role::Operator),
        (OLD, "张三", Role::Employee),
        (NEW, "李四", Role::Employee),
        (UNBOUND, "王五", Role::Employee),
        (SUSPENDED, "赵六", Role::Operator),
    ];
    let by = || Actor::System("cli".to_owned());
    for (id, name, role) in people {
        let registered = StaffRegistered {
            username: name.to_owned(),
            name: name.to_owned(),
            role,
            department: None,
            phone: None,
            email: None,
            by: by(),
            at: at(),
        };
        staff.evolve(id, &registered.into());
        if id != UNBOUND {
            let openid = OpenId::parse("o-1").unwrap();
            staff.evolve(id, &StaffWechatBound { app: APP.to_owned(), openid, by: by(), at: at() }.into());
        }
    }
    staff.evolve(SUSPENDED, &StaffSuspended { by: by(), at: at() }.into());
    staff
}

/// One channel is set up.
pub(super) fn wechat() -> ChannelSettings {
    let fields = [
        ("thing1", "customer_name"),
        ("thing2", "source"),
        ("name3", "assigner"),
        ("number4", "count"),
        ("time5", "assign_time"),
    ];
    let settings = wechat_subscribe::Settings {
        app: APP.to_owned(),
        template: "template".to_owned(),
        page: "pages/customer?id={customerId}".to_owned(),
        fields: fields.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
        miniprogram_state: "formal".to_owned(),
    };
    ChannelSettings { wechat_subscribe: Some(settings), ..ChannelSettings::default() }
}
