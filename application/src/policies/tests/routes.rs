//! Through which channels: every reason there is, the order of a route, quiet hours, digests, and what leaves.

use chrono::TimeDelta;
use domain::contact::WecomUserId;
use domain::preferences::{
    Day, Digest, Document, Language, Mode, PreferencesSet, QuietHours, Rule, Whose, Window,
};
use domain::staff::StaffWecomBound;

use super::*;
use crate::channels::{Routes, wechat_cloud, wechat_official, wecom_app, wecom_robot};
use crate::policies::Wait;
use Channel::{WechatCloud, WechatOfficial, WechatSubscribe, WecomApp, WecomRobot};

const CORP: &str = "ww1";

/// The channels in the order in which the tables below write them.
const ORDER: [Channel; 5] = [WecomApp, WechatSubscribe, WechatOfficial, WechatCloud, WecomRobot];

/// An installation with every channel, and a new owner who is bound everywhere.
pub(super) fn everything() -> Backdrop {
    let public_url = Some("https://crm.example.com".to_owned());
    let channels = ChannelSettings {
        wechat_cloud: Some(wechat_cloud::Settings {
            app: APP.to_owned(),
            env: "prod".to_owned(),
            function: "f".to_owned(),
        }),
        wechat_official: Some(wechat_official::Settings {
            app: "wx-official".to_owned(),
            kind: wechat_official::Kind::Template,
            template: "T2".to_owned(),
            fields: vec![("thing1".to_owned(), "customer_name".to_owned())],
            public_url: public_url.clone(),
            mini_program: None,
        }),
        wecom_app: Some(wecom_app::Settings {
            corp: CORP.to_owned(),
            agent: 7,
            kind: wecom_app::Kind::Textcard,
            public_url: public_url.clone(),
        }),
        wecom_robot: Some(wecom_robot::Settings {
            name: "销售群".to_owned(),
            corp: Some(CORP.to_owned()),
            kind: wecom_robot::Kind::Text,
            public_url,
        }),
        ..wechat()
    };
    let mut backdrop = Backdrop::of(&channels);
    let (by, at) = (|| Actor::System("cli".to_owned()), at());
    let openid = OpenId::parse("o-2").unwrap();
    let official = StaffWechatBound { app: "wx-official".to_owned(), openid, by: by(), at };
    let user = WecomUserId::parse("LiSi").unwrap();
    let wecom = StaffWecomBound { corp: CORP.to_owned(), user, by: by(), at };
    backdrop.staff.evolve(NEW, &official.into());
    backdrop.staff.evolve(NEW, &wecom.into());
    backdrop
}

impl Backdrop {
    pub(super) fn wishes(mut self, whose: Whose, document: Document) -> Self {
        let set = PreferencesSet { whose, document, by: Actor::Staff(ADMIN), at: at() };
        self.preferences.evolve(&set.into());
        self
    }

    fn routed(mut self, lists: &[(&str, &[Channel])]) -> Self {
        let lists = lists.iter().map(|(name, channels)| (*name, channels.to_vec()));
        self.channels.routes = Routes::parse(lists).unwrap();
        self
    }

    fn without(mut self, change: impl FnOnce(&mut ChannelSettings)) -> Self {
        change(&mut self.channels);
        self
    }

    /// What is decided for each channel of [`ORDER`] when somebody gains a lead.
    fn decided(&self, to: StaffId, at: DateTime<Utc>) -> Vec<String> {
        let happened = lead(vec![created(ADMIN), assigned(to, ADMIN, Manual)]);
        let (reactions, outgoing) = self.answer_at(&happened, at);
        let decisions = &reactions[0].decisions;
        assert_eq!(decisions[0].0, Channel::InApp);
        let leaves = |channel| outgoing.iter().any(|sent: &Outgoing| sent.channel == channel);
        let word = |channel: &Channel| {
            let (_, decision) = decisions.iter().find(|(known, _)| known == channel).unwrap();
            assert_eq!(leaves(*channel), !matches!(decision, Decision::Suppress { .. }), "{channel}");
            match decision {
                Decision::Deliver => "deliver".to_owned(),
                Decision::Hold { until, reason } => format!("{reason} {}", until.format("%d %H:%M:%S")),
                Decision::Standby { after } => format!("after {after}"),
                Decision::Suppress { reason } => reason.clone(),
                Decision::Merge { into } => format!("merge {into}"),
            }
        };
        ORDER.iter().map(word).collect()
    }
}

pub(super) fn rule(scene: Option<&str>, channel: Option<Channel>, mode: Mode) -> Document {
    let rule = Rule { scene: scene.map(str::to_owned), channel, mode };
    Document { rules: vec![rule], ..Document::default() }
}

fn own_route(channels: &[Channel]) -> Document {
    let routes = [(kinds::CUSTOMER_ASSIGNED.to_owned(), channels.to_vec())].into();
    Document { routes, ..Document::default() }
}

/// Every night from 22:00 to 08:00 in Beijing.
pub(super) fn nights() -> Document {
    let window = Window {
        days: Day::ALL.iter().copied().collect(),
        from: "22:00".parse().unwrap(),
        to: "08:00".parse().unwrap(),
    };
    Document {
        quiet: Some(QuietHours { windows: vec![window], ..QuietHours::default() }),
        ..Document::default()
    }
}

const ME: Whose = Whose::Staff(NEW);
const MY_ROLE: Whose = Whose::Role(Role::Employee);
const SCENE: Option<&str> = Some(kinds::CUSTOMER_ASSIGNED);

#[test]
fn the_first_channel_that_reaches_the_person_speaks_and_the_others_stand_by() {
    let chain =
        ["deliver", "after wecom_app", "after wechat_subscribe", "after wechat_official", "not_routed"];
    assert_eq!(everything().decided(NEW, at()), chain);
    // A person without a binding is told by what needs none; a colleague's binding helps nobody.
    assert_eq!(
        everything().decided(UNBOUND, at()),
        ["no_binding", "no_binding", "no_binding", "deliver", "not_routed"]
    );
    assert_eq!(
        everything().decided(OLD, at()),
        ["no_binding", "deliver", "no_binding", "after wechat_subscribe", "not_routed"]
    );
    assert_eq!(everything().decided(SUSPENDED, at()), ["recipient_inactive"; 5]);
    assert_eq!(everything().decided(person(99), at()), ["recipient_inactive"; 5]);
}

#[test]
fn every_reason_not_to_use_a_channel_is_named() {
    let configured = everything().without(|c| (c.wecom_app, c.wechat_official) = (None, None));
    assert_eq!(
        configured.decided(NEW, at()),
        [
            "channel_not_configured",
            "deliver",
            "channel_not_configured",
            "after wechat_subscribe",
            "not_routed"
        ]
    );
    let scene = kinds::CUSTOMER_ASSIGNED;
    let routed = everything().routed(&[(scene, &[WecomRobot, WecomApp])]);
    assert_eq!(
        routed.decided(NEW, at()),
        ["after wecom_robot", "not_routed", "not_routed", "not_routed", "deliver"]
    );
    let other = everything().routed(&[(kinds::CUSTOMER_TRANSFERRED, &[WecomRobot])]);
    assert_eq!(other.decided(NEW, at()), everything().decided(NEW, at()));
    let nowhere = everything().routed(&[("default", &[])]);
    assert_eq!(nowhere.decided(NEW, at()), ["not_routed"; 5]);

    let mine = everything().wishes(ME, own_route(&[WechatCloud, WecomApp]));
    assert_eq!(
        mine.decided(NEW, at()),
        ["after wechat_cloud", "preference_route", "preference_route", "deliver", "preference_route"]
    );
    let inbox_only = everything().wishes(ME, own_route(&[]));
    assert_eq!(inbox_only.decided(NEW, at()), ["preference_route"; 5]);
    let of_role = everything().wishes(MY_ROLE, own_route(&[WecomApp]));
    assert_eq!(of_role.decided(NEW, at())[..2], ["deliver", "role_default_route"]);
    let both = of_role.wishes(ME, own_route(&[WechatSubscribe]));
    assert_eq!(both.decided(NEW, at())[..2], ["preference_route", "deliver"]);
    assert_eq!(both.decided(OLD, at())[..2], ["no_binding", "role_default_route"]);

    let off = everything().wishes(ME, rule(SCENE, Some(WecomApp), Mode::Off));
    assert_eq!(off.decided(NEW, at())[..2], ["preference_off:CUSTOMER_ASSIGNED×wecom_app", "deliver"]);
    let off = everything().wishes(MY_ROLE, rule(None, Some(WechatSubscribe), Mode::Off));
    assert_eq!(
        off.decided(NEW, at())[..3],
        ["deliver", "role_default_off:*×wechat_subscribe", "after wecom_app"]
    );
    // What cannot reach the person anyway is not said to be the person's wish.
    let off = everything().wishes(Whose::Staff(UNBOUND), rule(None, None, Mode::Off));
    assert_eq!(off.decided(UNBOUND, at())[2..4], ["no_binding", "preference_off:*×*"]);
}

#[test]
fn what_is_not_urgent_goes_to_the_inbox_unless_the_installation_routes_it() {
    let event = || lead(vec![created(ADMIN), assigned(NEW, ADMIN, Create), status_changed(ADMIN)]);
    let words = |backdrop: Backdrop| -> usize { backdrop.answer_at(&event(), at()).1.len() };
    assert_eq!(words(everything()), 0);
    assert_eq!(words(everything().routed(&[(kinds::CUSTOMER_STATUS_CHANGED, &[WecomApp, WecomRobot])])), 2);
}

#[test]
fn the_cloud_function_tells_of_gained_leads_only_whatever_is_routed_to_it() {
    let list: &[Channel] = &[WechatCloud, WecomApp];
    let routed = everything().routed(&[(kinds::CUSTOMER_STATUS_CHANGED, list), ("default", list)]);
    let event = lead(vec![created(ADMIN), assigned(NEW, ADMIN, Create), status_changed(ADMIN)]);
    let (reactions, outgoing) = routed.answer_at(&event, at());
    let reason = "channel_tells_leads_only".to_owned();
    assert!(reactions[0].decisions.contains(&(WechatCloud, Decision::Suppress { reason })));
    assert_eq!(outgoing.iter().map(|sent| sent.channel).collect::<Vec<_>>(), [WecomApp]);
    assert_eq!(routed.decided(NEW, at())[..1], ["after wechat_cloud"]);
}

#[test]
fn a_night_holds_the_first_channel_until_it_is_over_and_not_a_second_longer() {
    let asleep = everything().wishes(ME, nights());
    let beijing = |clock: &str| -> DateTime<Utc> { format!("2026-03-02T{clock}+08:00").parse().unwrap() };
    // 08:00 in Beijing is midnight in UTC.
    for (clock, first) in [
        ("07:59:59", "quiet_hours 02 00:00:00"),
        ("08:00:00", "deliver"),
        ("21:59:59", "deliver"),
        ("22:00:00", "quiet_hours 03 00:00:00"),
    ] {
        let decided = asleep.decided(NEW, beijing(clock));
        assert_eq!(decided[..2], [first, "after wecom_app"], "{clock}");
    }
    assert_eq!(asleep.decided(OLD, beijing("23:00:00"))[1], "deliver", "a colleague's night is another one");
    // Account security passes: who changes a password at night should hear of it at night.
    let routed = asleep.routed(&[(kinds::ACCOUNT_SECURITY, &[WecomApp])]);
    let by = Actor::Staff(ADMIN);
    let fact = Fact::Staff(NEW, Box::new(domain::staff::StaffActivated { by, at: at() }.into()));
    let (reactions, outgoing) = routed.answer_at(&Happened::from(fact), beijing("23:00:00"));
    assert_eq!(outgoing.len(), 1);
    assert!(reactions[0].decisions.contains(&(WecomApp, Decision::Deliver)));
}

#[test]
fn a_burst_is_told_once_now_and_once_at_its_end() {
    let digest = Some(Digest::Burst { minutes: 30 });
    let document = Document { digest, ..rule(SCENE, None, Mode::Digest) };
    let mut collected = everything().wishes(ME, document);
    let minute = |n| at() + TimeDelta::minutes(n);
    assert_eq!(collected.decided(NEW, minute(0))[0], "deliver");
    let happened = lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)]);
    for (n, expected) in [(0, "deliver"), (10, "digest_burst 01 02:30:00"), (29, "digest_burst 01 02:30:00")]
    {
        assert_eq!(collected.decided(NEW, minute(n))[0], expected, "minute {n}");
        let (reactions, _) = collected.answer_at(&happened, minute(n));
        collected.recent.take_in(&reactions[0], minute(n));
    }
    assert_eq!(collected.decided(NEW, minute(30))[0], "deliver", "the burst is over");
    assert_eq!(collected.decided(OLD, minute(10))[1], "deliver", "nobody else waits");
}

#[test]
fn each_channel_of_a_route_has_its_request_ready() {
    let backdrop = everything().wishes(ME, nights());
    let happened = lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)]);
    let until: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
    let night = until - TimeDelta::hours(3);
    let (reactions, outgoing) = backdrop.answer_at(&happened, night);
    let held = Some(Wait::Until { reason: "quiet_hours".to_owned(), until });
    let by_channel = |channel| outgoing.iter().find(|sent| sent.channel == channel).unwrap();
    for (channel, app, receiver, template, waits, fallback) in [
        (WecomApp, "ww1/7", "LiSi", None, held, true),
        (WechatSubscribe, APP, "o-1", Some("template"), Some(Wait::Standby), true),
        (WechatOfficial, "wx-official", "o-2", None, Some(Wait::Standby), true),
        (WechatCloud, APP, NEW.to_string().as_str(), None, Some(Wait::Standby), false),
    ] {
        let sent = by_channel(channel);
        let known = (sent.app.as_str(), sent.receiver.as_str(), sent.template.as_deref());
        assert_eq!(known, (app, receiver, template), "{channel}");
        assert_eq!((&sent.held, sent.fallback), (&waits, fallback), "{channel}");
    }
    let notice = reactions[0].notification(EVENT);
    let code = notice.0.simple().to_string()[..8].to_uppercase();
    assert_eq!(
        by_channel(WecomApp).body,
        format!(
            concat!(
                r#"{{"touser":"LiSi","msgtype":"textcard","agentid":7,"textcard":{{"title":"客户分配通知","#,
                r#""description":"<div class=\"gray\">2026-03-02 05:00 #{code}</div><div class=\"normal\">"#,
                r#"您有新的客户【陈女士】，电话：138****8999，来源：抖音，请及时跟进！</div>","#,
                r#""url":"https://crm.example.com/customers/{lead}","btntxt":"立即跟进"}},"#,
                r#""enable_duplicate_check":1,"duplicate_check_interval":14400}}"#
            ),
            code = code,
            lead = LEAD
        )
    );
    assert_eq!(
        by_channel(WechatOfficial).body,
        format!(
            concat!(
                r#"{{"touser":"o-2","template_id":"T2","url":"https://crm.example.com/customers/{lead}","#,
                r#""data":{{"thing1":{{"value":"陈女士"}}}},"client_msg_id":"{delivery}"}}"#
            ),
            lead = LEAD,
            delivery = by_channel(WechatOfficial).delivery.0.simple()
        )
    );
}

#[test]
fn everybody_reads_their_language_and_the_notice_pins_what_was_read() {
    let english = Document { locale: Some(Language::En), ..Document::default() };
    let backdrop = everything().wishes(Whose::Role(Role::Manager), english);
    let (reactions, _) = backdrop.answer_at(&lead(vec![created(OLD)]), at());
    let title = |who| {
        let reaction = reactions.iter().find(|reaction| reaction.recipient == who).unwrap();
        reaction.notice.as_ref().unwrap().message.title.as_str()
    };
    assert_eq!((title(ADMIN), title(MANAGER), title(OPERATOR)), ("新客户创建", "New customer", "新客户创建"));
    let event = PolicyEvent { id: EVENT, fact: lead(vec![created(OLD)]).fact, at: at() };
    let requests: Vec<_> = reactions.iter().map(|reaction| reaction.request(&event).unwrap()).collect();
    assert_ne!(requests[0].rendered_hash, requests[1].rendered_hash);
    assert_eq!(requests[0].rendered_hash, requests[2].rendered_hash);
}

#[test]
fn published_words_are_read_from_then_on_and_pinned() {
    use domain::template::{TemplatePublished, TemplateRolledBack};
    let mut backdrop = everything();
    let mut wording = crate::texts::ASSIGNED.wording();
    wording.zh_cn.content = "【{{customerName}}】归您了".to_owned();
    let (key, by) = (crate::texts::ASSIGNED.key.to_owned(), Actor::Staff(ADMIN));
    let version = domain::template::BUILT_IN_VERSION_MAX + 1;
    let published = TemplatePublished { key: key.clone(), version, wording, by: by.clone(), at: at() };
    backdrop.templates.evolve(&published.into());
    let read = |backdrop: &Backdrop| {
        let happened = lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)]);
        let (reactions, outgoing) = backdrop.answer_at(&happened, at());
        let notice = reactions[0].notice.clone().unwrap();
        assert!(outgoing[0].body.contains(&notice.message.content) || outgoing[0].channel != WecomApp);
        (notice.message.content, notice.template, notice.template_version)
    };
    assert_eq!(read(&backdrop), ("【陈女士】归您了".to_owned(), key.clone(), version));
    backdrop.templates.evolve(&TemplateRolledBack { key: key.clone(), to: None, by, at: at() }.into());
    assert_eq!(read(&backdrop).2, crate::texts::ASSIGNED.version);
}
