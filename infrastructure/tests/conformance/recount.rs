//! The counts behind the holding caps are what a naive reading of the log says, after any commands in any order at once,
//! and after a recount of a store that never kept them; and whoever compares them with the log finds what differs.

mod office;
mod rules;

use std::sync::atomic::{AtomicBool, Ordering};

use application::bus::CountKind;
use domain::customer::ContractStatus;
use futures_util::future::join_all;
use infrastructure::db::DbError;
use infrastructure::recount::{Compared, Difference, compare, recount, recount_once};
use infrastructure::upcasters::Upcasters;
use rstest::rstest;

use crate::kit::{Backend, TestDb};
use office::{CAP, Kind, LEADS, MIX, Office, WAYS, staff};

const ROUNDS: u64 = 40;
const AT_ONCE: u64 = 6;
/// Recounts beside commands: each could lose some.
const RECOUNTS: u64 = 12;

/// Chance that is the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn kind(&mut self) -> Kind {
        let mut left = self.below(MIX.iter().map(|(_, often)| often).sum());
        let fits = |(kind, often): &(Kind, u64)| {
            let found = left < *often;
            left = left.saturating_sub(*often);
            found.then_some(*kind)
        };
        MIX.iter().find_map(fits).unwrap()
    }

    fn status(&mut self) -> ContractStatus {
        [ContractStatus::Signed, ContractStatus::Refunded, ContractStatus::Matching]
            [usize::try_from(self.below(3)).unwrap()]
    }
}

impl Office {
    async fn recount_once(&self) -> Result<bool, DbError> {
        recount_once(self.buses[0].log(), &Upcasters::none()).await
    }

    async fn recount(&self) -> Compared {
        recount(self.buses[0].log(), &Upcasters::none()).await.unwrap()
    }

    async fn compare(&self) -> Compared {
        compare(self.buses[0].log(), &Upcasters::none()).await.unwrap()
    }

    /// Some things that are asked for at once.
    async fn round(&self, dice: &mut Dice) {
        let asked: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let what = [dice.below(4), dice.below(4), self.lead(|leads| dice.below(leads))];
                (dice.kind(), what, dice.status())
            })
            .collect();
        join_all(asked.into_iter().map(|(kind, what, status)| self.ask(kind, what, status))).await;
    }
}

/// Rounds of commands that are carried out at once.
async fn work(office: &Office, seed: u64) {
    let mut dice = Dice(seed);
    for _ in 0..ROUNDS {
        office.round(&mut dice).await;
        assert_eq!(office.kept().await, office.said().await);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_what_the_log_says_before_and_after_a_recount(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(true, false)] ignores_signed: bool,
) {
    let test = TestDb::fresh(backend).await;
    let office = Office::open(&test, ignores_signed).await;
    work(&office, 7).await;
    office.roomy().ask(Kind::Create, [0, 1, LEADS], ContractStatus::Pending).await;
    office.roomy().ask(Kind::Create, [0, 1, LEADS + 1], ContractStatus::Signed).await;
    let said = office.said().await;
    assert!(said[&(CountKind::OwnedLeads, 1)] > said[&(CountKind::UnsignedLeads, 1)]);

    // A store from before there was such a count.
    office.spoil("DELETE FROM counts WHERE kind IN ('unsigned_leads', 'recounted')".to_owned()).await;
    assert_ne!(office.kept().await, said);
    assert!(office.recount_once().await.unwrap());
    assert_eq!(office.kept().await, said);
    assert!(!office.recount_once().await.unwrap(), "once");

    // Commands go on from there.
    work(&office, 8).await;
    assert_eq!(office.ways().await, WAYS.into(), "nothing of the mix was asked for in vain");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_as_many_unsigned_leads_come_as_there_is_room_for(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let office = Office::open(&test, true).await;
    // 0 to 3 are signed and owned by 2; somebody else has the others.
    for n in 0..LEADS {
        let (status, to) = if n < 4 { (ContractStatus::Signed, 2) } else { (ContractStatus::Pending, 0) };
        office.roomy().ask(Kind::Create, [0, to, n], status).await;
    }
    let owned = (CountKind::OwnedLeads, 2);
    assert_eq!(office.kept().await[&owned], 4, "beyond the cap already, and all are signed");
    let give = (0..LEADS).map(|n| office.ask(Kind::Assign, [0, 2, n], ContractStatus::Pending));
    join_all(give).await;
    let kept = office.kept().await;
    assert_eq!((kept[&owned], kept[&(CountKind::UnsignedLeads, 2)]), (4 + CAP, CAP));
    assert_eq!(kept, office.said().await);
}

/// A recount that lost a command would differ from the next one, so the second of them says so.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_come_during_a_recount_are_counted_too(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let office = Office::open(&test, true).await;
    for n in 0..LEADS {
        office.roomy().ask(Kind::Create, [0, n % 4, n], ContractStatus::Pending).await;
    }
    let over = AtomicBool::new(false);
    let commands = async {
        let mut dice = Dice(9);
        while !over.load(Ordering::Relaxed) {
            office.round(&mut dice).await;
        }
    };
    let recounts = async {
        for n in 0..RECOUNTS {
            let found = office.recount().await;
            assert_eq!(found.differences, [], "after {n} recounts");
        }
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(commands, recounts);
    assert_eq!(office.kept().await, office.said().await);
}

/// It takes no lock, and sees counts and events of one moment all the same.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_compares_beside_commands_finds_no_difference(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let office = Office::open(&test, true).await;
    let over = AtomicBool::new(false);
    let commands = async {
        let mut dice = Dice(10);
        for _ in 0..ROUNDS {
            office.round(&mut dice).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let comparisons = async {
        let mut moments = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let found = office.compare().await;
            assert_eq!(found.differences, [], "at position {}", found.position);
            moments.push(found.position);
        }
        moments.dedup();
        moments.len()
    };
    let ((), moments) = tokio::join!(commands, comparisons);
    assert!(moments > 1, "it looked at several moments");
    let found = office.compare().await;
    let owned = office.said().await.into_iter().filter(|((kind, _), _)| *kind == CountKind::OwnedLeads);
    assert_eq!(i64::try_from(found.leads).unwrap(), owned.map(|(_, count)| count).sum::<i64>());
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_differs_is_named_with_both_numbers_and_a_recount_ends_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let office = Office::open(&test, true).await;
    for n in 0..4 {
        let status = if n == 0 { ContractStatus::Signed } else { ContractStatus::Pending };
        office.roomy().ask(Kind::Create, [0, 1 + n % 2, n], status).await;
    }
    assert!(office.compare().await.is_clean());
    let one = staff(1);
    office.spoil(format!("UPDATE counts SET value = 7 WHERE kind = 'owned_leads' AND key = '{one}'")).await;
    office.spoil(format!("DELETE FROM counts WHERE kind = 'unsigned_leads' AND key = '{}'", staff(2))).await;
    // Somebody who never had a lead, and a count that nobody compares.
    let stranger = staff(9);
    for kind in ["unsigned_leads", "claims_of_day"] {
        let insert = format!("INSERT INTO counts (kind, key, value) VALUES ('{kind}', '{stranger}', 5)");
        office.spoil(insert).await;
    }
    let differs = |staff: domain::StaffId, count, kept, counted| Difference {
        staff: staff.to_string(),
        count,
        kept,
        counted,
    };
    let expected = [
        differs(one, CountKind::OwnedLeads, 7, 2),
        differs(staff(2), CountKind::UnsignedLeads, 0, 2),
        differs(stranger, CountKind::UnsignedLeads, 5, 0),
    ];
    let found = office.compare().await;
    assert_eq!((found.leads, found.differing, found.differences.as_slice()), (4, 3, &expected[..]));
    assert_eq!(office.compare().await, found, "comparing changes nothing");
    assert_eq!(office.recount().await, found, "a recount tells what it ended");
    assert_eq!(office.kept().await, office.said().await);
    assert!(office.compare().await.is_clean());
    let claims = office.buses[0].log().count(CountKind::ClaimsOfDay, &stranger.to_string()).await;
    assert_eq!(claims.unwrap(), 5, "what is not made here is left alone");
    assert!(!office.recount_once().await.unwrap(), "it counts as done");
}
