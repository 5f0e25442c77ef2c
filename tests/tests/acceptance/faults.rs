//! Faults on the way to the providers (faults.md F3 to F7, F12, F13, F16), for every channel: what people received is held
//! against what the events say. Where the provider recognises a repetition the message arrives exactly once, everywhere
//! else at most once and never in silence.

mod crowds;
mod deaths;
mod digests;
mod tokens;
mod wires;

use tests::kit::{Person, TestApp};

use super::channels::{Way, sending};

/// The delivery is shown to whoever looks for unknown ones.
async fn is_listed_as_unknown(app: &TestApp, person: &Person, way: Way) {
    let row = sending(app, person, way.channel()).await;
    let listed = app.get("/api/deliveries?state=unknown").by(&app.team.admin).send().await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let items = listed.data()["items"].as_array().expect("items").clone();
    assert!(items.iter().any(|item| item.to_string().contains(&row.id.to_string())), "{items:?}");
}
