//! Who may do what with whose lead (domain.md section 3): every role, the own lead, somebody else's, one in the pool.

use domain::customer::FollowUpKind;

use super::*;

/// How a command may end, in the terms of whoever must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Hidden,
    Denied,
    Wrong,
}

use End::{Denied, Done as Ok_, Hidden, Wrong};

fn end(result: Result<Done, Refusal>) -> End {
    let item = |refusal: &BatchItemRefusal| match refusal {
        BatchItemRefusal::CustomerNotFound => Hidden,
        BatchItemRefusal::NotYours => Denied,
        _ => Wrong,
    };
    match result {
        Ok(_) => Ok_,
        Err(Refusal::Rule(CustomerError::NotFound)) => Hidden,
        Err(Refusal::Forbidden(_) | Refusal::NotOwner) => Denied,
        Err(Refusal::Batch(items)) => item(&items[0].1),
        Err(_) => Wrong,
    }
}

/// Lead 0 is the caller's own, 1 is a colleague's, 2 is in the pool.
fn outcomes(by: usize, asked: impl Fn(usize) -> Ask) -> [End; 3] {
    [0, 1, 2].map(|n| {
        let bus = office();
        bus.owned(by, [0]);
        let other = if by == COLLEAGUE { EMPLOYEE } else { COLLEAGUE };
        bus.owned(other, [1]);
        bus.pooled(other, [2]);
        end(ask(&bus, &Limits::default(), asked(n), 1))
    })
}

type Expected = [(usize, [End; 3]); 6];

fn check(name: &str, asked: impl Fn(usize, usize) -> Ask, expected: Expected) {
    for (by, ends) in expected {
        assert_eq!(outcomes(by, |n| asked(by, n)), ends, "{name} by {}", PEOPLE[by].0);
    }
}

/// The same for all six roles.
fn all(ends: [End; 3]) -> Expected {
    [ADMIN, MANAGER, OPERATOR, DISPATCH, EMPLOYEE, ADMISSIONS].map(|by| (by, ends))
}

#[test]
fn releases() {
    let expected = [
        (ADMIN, [Ok_, Ok_, Wrong]),
        (MANAGER, [Ok_, Ok_, Wrong]),
        (OPERATOR, [Ok_, Denied, Wrong]),
        (DISPATCH, [Ok_, Denied, Wrong]),
        (EMPLOYEE, [Ok_, Hidden, Wrong]),
        (ADMISSIONS, [Ok_, Hidden, Wrong]),
    ];
    check("release", |by, lead| Ask::Release { by, lead }, expected);
    check("batch release", |by, lead| Ask::BatchRelease { by, leads: vec![lead] }, expected);
}

#[test]
fn assignments() {
    let may = [Ok_, Ok_, Ok_];
    let not = [Denied; 3];
    let expected =
        [(ADMIN, may), (MANAGER, may), (OPERATOR, may), (DISPATCH, not), (EMPLOYEE, not), (ADMISSIONS, not)];
    check("assign", |by, lead| Ask::Assign { by, to: COLLEAGUE, lead }, expected);
    check("batch", |by, lead| Ask::BatchAssign { by, to: COLLEAGUE, leads: vec![lead] }, expected);
    let pool = [Wrong, Wrong, Ok_];
    let expected = expected.map(|(by, ends)| (by, if ends == may { pool } else { ends }));
    check("pool", |by, lead| Ask::PoolAssign { by, to: COLLEAGUE, leads: vec![lead] }, expected);
}

#[test]
fn claims() {
    let mut expected = all([Wrong, Wrong, Ok_]);
    expected[5].1 = [Denied; 3];
    check("claim", |by, lead| Ask::Claim { by, leads: vec![lead] }, expected);
}

#[test]
fn treatments() {
    let denied_elsewhere = [Denied, Hidden, Hidden];
    let freeze = [
        (ADMIN, [Ok_; 3]),
        (MANAGER, [Denied; 3]),
        (OPERATOR, [Denied; 3]),
        (DISPATCH, [Denied; 3]),
        (EMPLOYEE, denied_elsewhere),
        (ADMISSIONS, denied_elsewhere),
    ];
    let treat = |what: Treatment| move |by, lead| Ask::Treat { by, lead, what: what.clone() };
    check("freeze", treat(Treatment::Freeze { reason: None }), freeze);

    let mut delete = freeze;
    delete[1].1 = [Ok_; 3];
    check("delete", treat(Treatment::Delete), delete);

    let mut transfer = delete;
    transfer[2].1 = [Ok_; 3];
    check("auto-transfer", treat(Treatment::AutoTransfer { enabled: false }), transfer);

    let mut level = transfer;
    level[3].1 = [Ok_; 3];
    check("level O", treat(Treatment::LevelO), level);

    let mut follow_up = level;
    follow_up[4].1 = [Ok_, Hidden, Hidden];
    follow_up[5].1 = [Ok_, Hidden, Hidden];
    let written = FollowUp {
        id: domain::FollowUpId(Uuid::from_u128(7)),
        kind: FollowUpKind::Phone,
        content: "已电话沟通".into(),
        next_at: None,
    };
    check("follow-up", treat(Treatment::FollowUp(written)), follow_up);
}

#[test]
fn what_is_said_to_who_may_not_is_system_as() {
    let bus = office();
    bus.owned(COLLEAGUE, [0]);
    for (asked, text) in [
        (Ask::Release { by: DISPATCH, lead: 0 }, "只有客户负责人或管理员可以释放客户到公海"),
        (Ask::Assign { by: DISPATCH, to: EMPLOYEE, lead: 0 }, "只有管理员、经理或运营可以分配客户"),
        (
            Ask::BatchAssign { by: DISPATCH, to: EMPLOYEE, leads: vec![0] },
            "只有管理员、经理或运营可以批量分配客户",
        ),
        (
            Ask::PoolAssign { by: DISPATCH, to: EMPLOYEE, leads: vec![0] },
            "只有管理员、经理或运营可以从公海分配客户",
        ),
        (
            Ask::Treat { by: COLLEAGUE, lead: 0, what: Treatment::LevelO },
            "只有管理员、运营或派单老师可以手动设置线索等级为O类",
        ),
    ] {
        assert_eq!(ask(&bus, &Limits::default(), asked, 1).unwrap_err().to_string(), text);
    }
    let not_yours = ask(&bus, &Limits::default(), Ask::BatchRelease { by: DISPATCH, leads: vec![0] }, 1);
    let Err(Refusal::Batch(items)) = not_yours else { panic!("{not_yours:?}") };
    assert_eq!((items[0].1.code(), items[0].1.to_string().as_str()), ("NOT_OWNER", "无权释放此客户"));
}

#[test]
fn whoever_may_not_see_a_lead_learns_nothing_from_its_version() {
    let bus = office();
    bus.owned(COLLEAGUE, [0]);
    for expected in [None, Some(1), Some(2)] {
        let (by, customer) = (caller(EMPLOYEE), lead(0));
        let release = Release { customer, expected, reason: REASON.into() };
        let released = ready(super::release(&bus, &by, &context(EMPLOYEE, 1), release));
        let treat = Treat { customer, expected, what: Treatment::AutoTransfer { enabled: false } };
        let treated = ready(super::treat(&bus, &by, &context(EMPLOYEE, 1), treat));
        for result in [released, treated] {
            assert_eq!(settled(result), Err(CustomerError::NotFound.into()), "{expected:?}");
        }
    }
}

#[test]
fn whoever_may_not_see_a_pooled_lead_learns_that_it_is_there_and_nothing_from_its_version() {
    let bus = office();
    bus.owned(COLLEAGUE, [0]);
    bus.done(&Limits::default(), Ask::Release { by: COLLEAGUE, lead: 0 });
    for expected in [None, Some(1), Some(99)] {
        let release = Release { customer: lead(0), expected, reason: REASON.into() };
        let released = ready(super::release(&bus, &caller(EMPLOYEE), &context(EMPLOYEE, 1), release));
        assert_eq!(settled(released), Err(CustomerError::AlreadyInPool.into()), "{expected:?}");
    }
}
