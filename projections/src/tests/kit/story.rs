//! A story with a little of everything in it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::MemberId;
use domain::batch::{BatchEvent, ImportChunkStored, ImportCompleted, ImportStarted, OwnedCustomer};
use domain::customer::CustomerEvent;
use domain::member::{MemberActivated, MemberEvent, MemberFields, MemberRegistered, MemberSource};

use super::{
    World, assigned, batch, by, claimed, created, customer, dawn, deleted, fate, followed_up, notice,
    profile, recycling, released, second, staff, transferred, wechat,
};

/// What becomes of some leads of the story: followed up, given up, taken again, deleted.
fn later(n: u128, at: DateTime<Utc>) -> Vec<CustomerEvent> {
    let mut events = Vec::new();
    let owner = if n.is_multiple_of(2) { 1 + (n + 1) % 3 } else { 1 + n % 3 };
    if n.is_multiple_of(3) {
        events.push(followed_up(0x5000 + n, owner, "已联系", at));
        events.push(released(owner, at));
    }
    if n.is_multiple_of(6) {
        events.push(claimed(2, at));
    }
    if n.is_multiple_of(8) {
        events.push(deleted(Some(owner), at));
    }
    events
}

impl World {
    /// A little of everything: staff, leads that change hands, notices that are sent, fail and are read.
    pub(in crate::tests) async fn story(&self, leads: u128) {
        self.story_from(1, leads).await;
    }

    /// An import of one row, which is over unless its number can be halved.
    pub(in crate::tests) async fn import(&self, n: u128, at: DateTime<Utc>) {
        let created = vec![OwnedCustomer { customer: customer(n), owner: staff(1) }];
        let mut events: Vec<BatchEvent> = vec![
            ImportStarted { rows: 1, by: by(1), at }.into(),
            ImportChunkStored { created: created.clone(), at: at + TimeDelta::seconds(1) }.into(),
        ];
        if !n.is_multiple_of(2) {
            events.push(ImportCompleted { created, by: by(1), at: at + TimeDelta::seconds(2) }.into());
        }
        self.append(batch(n), &events).await;
    }

    /// Somebody who registers through the public form, and whom the staff lets take part.
    async fn registers(&self, n: u128, at: DateTime<Utc>) {
        let (nickname, source) = (Some(format!("会员{n}")), MemberSource::Public);
        let fields = Box::new(MemberFields { nickname, ..MemberFields::default() });
        let events: [MemberEvent; 2] = [
            MemberRegistered { source, fields, row: None, registered_at: None, by: by(1), at }.into(),
            MemberActivated { from: None, row: None, by: by(1), at }.into(),
        ];
        self.append(MemberId(customer(n).0), &events).await;
    }

    /// The same with leads of other numbers.
    pub(in crate::tests) async fn story_from(&self, first: u128, leads: u128) {
        for n in 1..=3 {
            self.hire(10 * first + n, &format!("员工{n}")).await;
        }
        for n in first..first + leads {
            let at = second(i64::try_from(n).unwrap());
            let owner = 1 + n % 3;
            let mut events = vec![created(n, profile(&format!("客户{n}")), at), assigned(owner, at)];
            if n % 2 == 0 {
                events.push(transferred(owner, 1 + (n + 1) % 3, at));
            }
            self.append(customer(n), &events).await;
            self.append(customer(n), &later(n, at)).await;
            self.notify(n, owner).await;
            let delivery = wechat(n, owner);
            self.append(notice(n, owner), &fate(n, delivery, at)).await;
            self.answer_of_person(n, at).await;
            if n.is_multiple_of(3) {
                self.import(n, at).await;
            }
            if n % 5 == 0 {
                self.read(owner, &[n], at).await;
            }
            if n % 7 == 0 {
                self.read_all(owner, 2, at).await;
            }
            if n % 4 == 0 {
                self.registers(n, at).await;
                self.handle(owner, n, at).await;
            }
        }
        self.rules_at_work(first).await;
        self.recycle_rule(first, recycling::seven_days(dawn()), dawn()).await;
        let period = second(i64::try_from(first).unwrap());
        self.append(recycling::run(period), &recycling::run_begun(first, period)).await;
    }
}
