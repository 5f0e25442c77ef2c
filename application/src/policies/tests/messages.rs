//! What people read, and the requests that follow.

use std::collections::BTreeSet;

use super::*;

#[test]
fn messages_read_as_they_should_and_never_carry_a_whole_phone_number() {
    let content = |happened: Happened| -> Vec<String> {
        let (event, reactions) = answer(happened, &wechat());
        reactions
            .iter()
            .filter_map(|reaction| {
                let text = serde_json::to_string(&reaction.request(&event)?).unwrap();
                assert!(!text.contains(NUMBER) && !text.contains("{{"), "{text}");
                Some(reaction.notice.as_ref()?.message.content.clone())
            })
            .collect()
    };
    let owned = || vec![created(ADMIN), assigned(OLD, ADMIN, Create)];
    let then = |event| lead(owned().into_iter().chain([event]).collect());
    assert_eq!(
        content(lead(vec![created(MANAGER)]))[0],
        "经理乙 创建了新客户：陈女士（138****8999），来源：抖音"
    );
    assert_eq!(
        content(lead(owned())),
        ["您有新的客户【陈女士】，电话：138****8999，来源：抖音，请及时跟进！"]
    );
    assert_eq!(
        content(then(transferred(OLD, NEW, ADMIN, Manual))),
        ["客户 陈女士 已从 张三 转移给您，请及时跟进", "您的客户 陈女士 已转移给 李四"]
    );
    assert_eq!(content(then(status_changed(ADMIN))), ["客户【陈女士】状态由 待定 变更为 已签约"]);
    assert_eq!(
        content(batch(&[(1, Some(OLD)), (2, None)]).into()),
        ["您有 2 个新的客户，来源：批量分配，请及时跟进！", "您的 1 个客户已转移给 李四"]
    );
}

#[test]
fn the_phone_gets_the_same_facts_in_the_fields_of_the_template() {
    let body = |happened: Happened| -> serde_json::Value {
        let channels = wechat();
        let outgoing = sent(&happened, &channels);
        assert_eq!(outgoing.len(), 1, "only the gaining owner hears of it on the phone");
        let (event, reactions) = answer(happened, &channels);
        let planned = reactions[0].request(&event).unwrap().deliveries;
        assert!(planned.iter().any(|planned| planned.delivery == outgoing[0].delivery));
        serde_json::from_str(&outgoing[0].body).unwrap()
    };
    let shown = |body: &serde_json::Value| -> Vec<String> {
        let data = body["data"].as_object().unwrap();
        data.values().map(|field| field["value"].as_str().unwrap().to_owned()).collect()
    };
    let single = body(lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)]));
    assert_eq!(single["page"], format!("pages/customer?id={LEAD}"));
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts
    };
    let expected = ["陈女士", "抖音", "管理员甲", "1", "2026年3月1日 10:00"].map(str::to_owned).to_vec();
    assert_eq!(sorted(shown(&single)), sorted(expected));
    let summary = body(batch(&[(1, Some(OLD)), (2, None)]).into());
    assert_eq!(summary["page"], "pages/customer?id=");
    let expected = ["2个客户", "批量分配", "管理员甲", "2", "2026年3月1日 10:00"].map(str::to_owned).to_vec();
    assert_eq!(sorted(shown(&summary)), sorted(expected));
}

#[test]
fn a_summary_shows_no_number_where_the_template_has_a_phone() {
    let mut channels = wechat();
    let fields = [("phone_number1", "phone_masked"), ("name2", "customer_name"), ("number3", "count")];
    channels.wechat_subscribe.as_mut().unwrap().fields =
        fields.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let shown = |happened: Happened| -> serde_json::Value {
        let body = sent(&happened, &channels)[0].body.clone();
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["data"].clone()
    };
    let summary = shown(batch(&[(1, None), (2, None)]).into());
    assert_eq!(summary["phone_number1"]["value"], "(2)");
    assert_eq!(summary["name2"]["value"], "多个客户");
    let single = shown(lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)]));
    assert_eq!(single["phone_number1"]["value"], "138****8999");
    let mut nameless = lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)]);
    nameless.customer.as_mut().unwrap().profile.phone = None;
    assert_eq!(shown(nameless)["phone_number1"]["value"], "(0)");
}

#[test]
fn a_lead_without_phone_and_source_is_told_without_holes() {
    let mut without = Customer::default();
    without.evolve(&created(ADMIN));
    without.profile.phone = None;
    without.profile.lead_source = None;
    let fact = Fact::Customer(LEAD, Box::new(assigned(NEW, ADMIN, Manual)));
    let (_, reactions) = answer(
        Happened { fact, customer: Some(without), member: None, owner_after_command: None },
        &wechat(),
    );
    let content = &reactions[0].notice.as_ref().unwrap().message.content;
    assert_eq!(content, "您有新的客户【陈女士】，电话：未填写，来源：未填写，请及时跟进！");
}

#[test]
fn the_same_event_asks_for_the_same_notice_and_deliveries() {
    let ask = || {
        let (event, reactions) = answer(lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)]), &wechat());
        reactions[0].request(&event).unwrap()
    };
    assert_eq!(ask(), ask());
    let deliveries: BTreeSet<_> = ask().deliveries.iter().map(|planned| planned.delivery).collect();
    assert_eq!(deliveries.len(), Channel::ALL.len());
}
