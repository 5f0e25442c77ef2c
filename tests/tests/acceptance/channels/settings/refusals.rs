//! Everything `WeChat` may refuse: whoever it does not tell is told by the next channel, once.

use domain::notification::Channel;
use domain::notification::DeliveryState::{Accepted, Rejected};
use tests::kit::{Person, Setup, TestApp};
use tests::people;
use tests::scratch::Backend;
use wechat_simulator::{
    DEMO_APPID, DEMO_SECRET, DEMO_TEMPLATE, DEMO_TEMPLATE_FIELDS, Template, TurnOffOrder,
};

use super::super::says;
use super::world::World;

/// One message: whoever uses it up with a refusal has none left.
const CREDITS: i64 = 1;

/// The template on the platform has these fields from now on; with none it is gone.
fn template(app: &TestApp, fields: &[&str]) {
    let changed = (!fields.is_empty()).then(|| Template::new(DEMO_TEMPLATE, fields).expect("a template"));
    app.wechat().set_templates(DEMO_APPID, changed.into_iter().collect()).expect("the app");
}

/// The lead was told once, by one of the two channels; whether it was the mini program.
fn told_by_the_mini_program(app: &TestApp, person: &Person, n: usize) -> bool {
    let named = |channel| {
        let received = app.received(person, channel);
        received.iter().filter(|one| says(one, &format!("客户{n}"))).count()
    };
    let (subscribe, wecom) = (named(Channel::WechatSubscribe), named(Channel::WecomApp));
    assert_eq!(subscribe + wecom, 1, "{}: lead {n}", person.username);
    subscribe == 1
}

pub(super) async fn play(on: Backend, world: &World) {
    let setup = Setup::through(&[Channel::WechatSubscribe, Channel::WecomApp]);
    let app = world.start(on, Setup { credits: CREDITS, ..setup }).await;
    let manager = app.team.manager.clone();
    let hired: [Person; 5] = app.hire(5).await.try_into().expect("as many as wanted");
    let [left, stranger, wordless, short, gone] = &hired;
    let turn_off = TurnOffOrder {
        appid: None,
        openid: left.openid.clone(),
        template_ids: vec![DEMO_TEMPLATE.to_owned()],
    };
    app.wechat().turn_off(&turn_off).expect("settings"); // and nobody tells us
    let bound = people::bind_wechat(app.app(), stranger.id, "somebody-elses-openid", CREDITS).await;
    bound.expect("a binding");

    // The template has another field, so the words are refused as well.
    template(&app, &[&DEMO_TEMPLATE_FIELDS[..], &["thing5"]].concat());
    for (n, person) in [left, stranger, wordless].into_iter().enumerate() {
        app.lead_of(&manager, person, 10 + n).await;
        app.settle().await;
        assert!(!told_by_the_mini_program(&app, person, 10 + n));
    }
    // The template has a field less than we fill.
    template(&app, &DEMO_TEMPLATE_FIELDS[..3]);
    app.lead_of(&manager, short, 20).await;
    app.settle().await;
    assert_eq!(told_by_the_mini_program(&app, short, 20), !world.switches.unknown_key_refused);
    template(&app, &[]);
    app.lead_of(&manager, gone, 21).await;
    app.settle().await;
    assert!(!told_by_the_mini_program(&app, gone, 21));

    template(&app, &DEMO_TEMPLATE_FIELDS);
    for (n, person) in [left, stranger, wordless].into_iter().enumerate() {
        app.lead_of(&manager, person, 30 + n).await;
        app.settle().await;
        let has_credit = person == wordless && !world.switches.failed_send_consumes_credit;
        assert_eq!(told_by_the_mini_program(&app, person, 30 + n), has_credit, "{}", person.username);
    }
    // Everybody who has none left at WeChat has none left here either, or was never asked.
    for person in [left, wordless] {
        assert_eq!(app.credits(person).await, (0, 0), "{}", person.username);
    }
    for person in &hired {
        let rows = app.sendings_through(person, Channel::WecomApp).await;
        assert!(rows.iter().all(|row| !row.possibly_repeated), "a no is a no: {rows:?}");
    }
    app.is_reconciled().await;
    app.finish().await;
}

pub(super) async fn wrong_kind_of_app(on: Backend, world: &World) {
    let mut setup = Setup::through(&[Channel::WechatOfficial, Channel::WecomApp]);
    setup.more.push(("LEADWIRE_WECHAT_OFFICIAL__APPID", DEMO_APPID.to_owned()));
    setup.more.push(("LEADWIRE_WECHAT_OFFICIAL__SECRET", DEMO_SECRET.to_owned()));
    let app = world.start(on, setup).await;
    let (manager, employee) = (app.team.manager.clone(), app.team.employee.clone());
    people::bind_openid(app.app(), employee.id, DEMO_APPID, &employee.openid).await.expect("a binding");
    app.lead_of(&manager, &employee, 1).await;
    app.settle().await;
    let official = app.sendings_through(&employee, Channel::WechatOfficial).await;
    let code = official[0].failure.as_ref().and_then(|failure| failure.code);
    let expected = if world.switches.mini_program_token_is_unsupported { 45109 } else { 48001 };
    assert_eq!((official[0].state, code), (Rejected, Some(expected)), "{official:?}");
    let wecom = app.sendings_through(&employee, Channel::WecomApp).await;
    assert_eq!((wecom.len(), wecom[0].state), (1, Accepted), "{wecom:?}");
    assert_eq!(app.received(&employee, Channel::WecomApp).len(), 1);
    app.is_reconciled().await;
    app.finish().await;
}
