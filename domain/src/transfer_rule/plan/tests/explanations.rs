//! One sentence for every way in which a run can move nothing.

use crate::transfer_rule::Ineligible;

use super::*;

fn scene() -> Scene {
    Scene { enabled: true, sources: 1, targets: 2, owned: 12, ..Scene::default() }
}

#[test]
fn the_first_obstacle_on_the_way_explains_an_empty_run() {
    let idle = vec![(Ineligible::Frozen, 2), (Ineligible::Referral, 0), (Ineligible::Active, 10)];
    let full = vec![(NoPlace::NoRoom, 12)];
    for (scene, code, zh) in [
        (
            Scene { enabled: false, window_closed: true, ..scene() },
            "rule_off",
            "规则未启用，因此没有流转任何线索",
        ),
        (
            Scene { window_closed: true, sources: 0, ..scene() },
            "window_closed",
            "当前不在规则的执行时段内，因此没有流转任何线索",
        ),
        (Scene { sources: 0, ..scene() }, "no_sources", "规则没有流出人员，因此没有可流转的线索"),
        (Scene { owned: 0, targets: 0, ..scene() }, "no_leads", "流出人员名下没有线索"),
        (
            Scene { ineligible: idle, ..scene() },
            "none_fits",
            "流出人员名下的12条线索都不符合规则：10条线索近期有跟进或变更；2条线索已被冻结",
        ),
        (
            Scene { targets: 0, unplaced: vec![(NoPlace::NoTargets, 12)], ..scene() },
            "no_targets",
            "规则没有在职的流入人员，因此线索无人可接",
        ),
        (
            Scene { unplaced: full, ..scene() },
            "no_place",
            "符合规则的线索无人可接：12条流入人员均已达到客户持有上限",
        ),
        (Scene { skipped: 3, ..scene() }, "all_touched", "计划流转的3条线索在执行前都已变动，因此保持不变"),
    ] {
        let nothing = scene.explain();
        assert_eq!((nothing.code(), nothing.zh().as_str()), (code, zh));
        assert!(nothing.en().starts_with("Nothing moved: "), "{}", nothing.en());
        assert!(Nothing::of_code(code).is_some(), "{code} can be told later, too");
        let stored = serde_json::to_string(&nothing).unwrap();
        assert_eq!(serde_json::from_str::<Nothing>(&stored).unwrap(), nothing);
    }
}

#[test]
fn leads_that_stayed_for_different_reasons_are_not_said_to_have_changed() {
    let mixed = Nothing::AllStayed { leads: 3 };
    assert_eq!((mixed.code(), mixed.zh().as_str()), ("all_stayed", "计划流转的3条线索因不同原因都未能流转"));
    assert!(mixed.en().starts_with("Nothing moved: "), "{}", mixed.en());
    assert!(Nothing::of_code("all_stayed").is_some());
}

#[test]
fn an_unknown_code_has_no_words() {
    assert_eq!(Nothing::of_code("tired"), None);
}

#[test]
fn the_english_sentence_counts_as_well() {
    let ineligible = vec![(Ineligible::Active, 10), (Ineligible::Frozen, 2)];
    assert_eq!(
        Scene { ineligible, ..scene() }.explain().en(),
        "Nothing moved: none of the 12 leads of the sources fits (10: somebody did something for the lead lately; \
         2: the lead is frozen)"
    );
}
