mod book;

use std::collections::BTreeSet;

use serde_json::Map;

use super::{CATALOGUE, Language, MissingVariable, Template, Variables, kinds, placeholders, render};

/// System A's types (existing-systems.md section 4.2).
const TYPES_OF_A: usize = 43;
/// Types A lacks.
const OUR_TYPES: [&str; 9] = [
    kinds::CUSTOMER_TRANSFERRED_OUT,
    kinds::CUSTOMER_RECYCLE_WARNING,
    kinds::NOTICE_DIGEST,
    kinds::MEMBER_REGISTERED,
    kinds::MEMBER_ACTIVATED,
    kinds::MEMBER_UPDATED,
    kinds::MEMBER_UPGRADED,
    kinds::MEMBER_REVOKED,
    kinds::MEMBER_NOTICE_TEST,
];

fn used(template: &Template, language: Language) -> BTreeSet<&str> {
    let words = template.words(language);
    [words.title, words.content, words.action_text, template.action_url]
        .into_iter()
        .flat_map(placeholders)
        .collect()
}

fn filled(template: &Template) -> Variables<'static> {
    template.variables.iter().map(|name| (*name, format!("<{name}>").into())).collect()
}

#[test]
fn every_type_of_a_is_registered_once() {
    let unique: BTreeSet<_> = kinds::ALL.iter().collect();
    assert_eq!(unique.len(), kinds::ALL.len());
    assert_eq!(kinds::ALL.iter().filter(|kind| !OUR_TYPES.contains(kind)).count(), TYPES_OF_A);
}

/// Every type with a text of ours tells our own facts unless it is named here, so a new one cannot be ordered before
/// somebody thought of it. What the decision table tells is held against this in the tests of the policy.
#[test]
fn of_the_types_with_a_text_only_these_may_be_ordered() {
    let orderable: Vec<&str> = kinds::orderable().collect();
    let with_text: BTreeSet<&str> =
        CATALOGUE.iter().map(|template| template.kind).filter(|kind| orderable.contains(kind)).collect();
    let named = [
        kinds::SYSTEM_ANNOUNCEMENT,
        kinds::FORM_SUBMISSION_RECEIVED,
        kinds::FORM_SUBMISSION_RECEIVED_ADMIN,
        kinds::CONTRACT_SIGNED,
    ];
    assert_eq!(with_text, named.into());
}

#[test]
fn every_template_declares_what_its_texts_use_and_its_type_is_registered() {
    for template in CATALOGUE {
        let declared: BTreeSet<&str> = template.variables.iter().copied().collect();
        assert!(kinds::ALL.contains(&template.kind), "{}", template.kind);
        assert_eq!(used(template, Language::ZhCn), declared, "{} zh-CN", template.kind);
        assert_eq!(used(template, Language::En), declared, "{} en", template.kind);
    }
}

#[test]
fn no_message_shows_a_placeholder_and_a_missing_variable_is_an_error() {
    for template in CATALOGUE {
        for language in [Language::ZhCn, Language::En] {
            let message = render(*template, language, &filled(template), Map::new()).unwrap();
            for text in [&message.title, &message.content, &message.action_url, &message.action_text] {
                assert!(!text.is_empty() && !text.contains("{{"), "{}: {text}", template.kind);
            }
        }
        for missing in template.variables {
            let mut variables = filled(template);
            variables.remove(missing);
            let expected = MissingVariable { kind: template.kind, variable: (*missing).to_owned() };
            assert_eq!(render(*template, Language::ZhCn, &variables, Map::new()), Err(expected));
        }
    }
}

#[test]
fn a_value_that_looks_like_a_placeholder_is_only_text() {
    let variables =
        Variables::from([("customerName", "{{phone}}".into()), ("newOwner", "}} 李四 {{".into())]);
    let message = render(&super::TRANSFERRED_OUT, Language::ZhCn, &variables, Map::new()).unwrap();
    assert_eq!(message.content, "您的客户 {{phone}} 已转移给 }} 李四 {{");
}

#[test]
fn text_with_an_unclosed_placeholder_stays_as_it_is() {
    assert_eq!(placeholders("客户{{"), Vec::<&str>::new());
    assert_eq!(placeholders("{{a}}{{b}} {{ 客"), ["a", "b"]);
}

#[test]
fn links_lead_to_pages_that_exist() {
    // The console's routes of these sections (existing-systems.md section 9); `/customers/pool` was never one.
    for template in CATALOGUE {
        assert_ne!(template.action_url, "/customers/pool", "{}", template.kind);
    }
    assert_eq!(super::RECLAIMED.action_url, "/customers/public-pool");
}
