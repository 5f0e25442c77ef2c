//! What system A's pages read of the answers (existing-systems.md section 5.4), member by member, when something moved.
//! How nothing at all looks over the wire is a snapshot in `bin/leadwire/tests/http/shapes.rs`.

use rstest::rstest;
use serde_json::{Value, json};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::{EXECUTE, RULES, idle_leads, predicted, rule, start, write};

/// Every member is there with a value of its kind: `#` a number, `$` a text, `?` yes or no, `[` a list, `{` an object,
/// `*` anything, `null` too.
fn reads(document: &Value, members: &str) {
    for member in members.split_whitespace() {
        let (name, kind) = member.split_at(member.len() - 1);
        let value = document.get(name).unwrap_or_else(|| panic!("no {name} in {document}"));
        let fits = match kind {
            "#" => value.is_i64(),
            "$" => value.is_string(),
            "?" => value.is_boolean(),
            "[" => value.is_array(),
            "{" => value.is_object(),
            _ => true,
        };
        assert!(fits, "{member} in {document}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_s_pages_find_every_member_they_read(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let id = write(&app, &rule(&app, &[&team.employee], &[&team.colleague])).await.id();
    idle_leads(&app, 1).await;

    let plan = predicted(&app, &id).await;
    reads(&plan, "nextExecutionTime* pendingLeadsCount# userPredictions[ allocationPlan[");
    let prediction = "userId$ userName$ role$ currentBalance# estimatedTransferOut# estimatedTransferIn# \
                      estimatedNewBalance#";
    reads(&plan["userPredictions"][0], prediction);
    let allocation = &plan["allocationPlan"][0];
    reads(allocation, "sourceUserId$ sourceUserName$ targetUserId$ targetUserName$ count#");
    assert_eq!(allocation["count"], 1);

    // As the page sends it: the rule and system A's batch.
    let ran = app.post(EXECUTE, &json!({ "ruleId": id, "batchSize": 100 })).by(&team.manager).send().await;
    reads(ran.data(), "transferredCount# userStats[ message$");
    assert_eq!(ran.data()["message"], ran.message(), "{ran:?}");
    reads(&ran.data()["userStats"][0], "userId$ userName$ transferredOut# transferredIn#");
    app.settle().await;

    let listed = app.get(&format!("{RULES}?targetModule=customer")).by(&team.manager).send().await;
    let detail = app.get(&format!("{RULES}/{id}")).by(&team.manager).send().await;
    for rule in [&listed.data()[0], detail.data()] {
        let members = "_id$ ruleName$ description$ enabled? targetModule$ triggerConditions{ executionWindow{ \
                       userQuotas[ distributionConfig{ statistics{ createdBy{ createdAt$ updatedAt$ sourceUserIds[ \
                       targetUserIds[";
        reads(rule, members);
        let conditions = "inactiveHours# transferCooldownHours# maxTransferCount# contractStatuses[ leadSources[ \
                          createdDateRange*";
        reads(&rule["triggerConditions"], conditions);
        reads(&rule["executionWindow"], "enabled? startTime$ endTime$");
        let quota = "userId$ userName$ role$ transferredOut# transferredIn# balance# pendingCompensation# \
                     lastCompensatedAt*";
        reads(&rule["userQuotas"][0], quota);
        reads(&rule["distributionConfig"], "strategy$ enableCompensation? compensationPriority#");
        reads(&rule["statistics"], "totalTransferred# lastExecutedAt$ lastTransferredCount#");
        reads(&rule["createdBy"], "name$ username$");
    }

    let page = app.get("/api/lead-transfer/records").by(&team.operator).send().await;
    reads(page.data(), "records[ total# page# limit# totalPages#");
    assert_eq!((&page.data()["page"], &page.data()["limit"]), (&json!(1), &json!(20)));
    let record = &page.data()["records"][0];
    let members = "_id$ ruleId$ ruleName$ customerId$ customerNumber$ customerName$ fromUserId$ fromUserName$ toUserId$ \
                   toUserName$ transferredAt$ status$ errorMessage* snapshot{";
    reads(record, members);
    let snapshot = "customerNumber$ customerName$ contractStatus$ inactiveHours# lastActivityAt$ createdAt$";
    reads(&record["snapshot"], snapshot);
    let person = format!("/api/lead-transfer/user-statistics/{}", team.colleague.id);
    let counted = app.get(&person).by(&team.colleague).send().await;
    reads(counted.data(), "userId$ transferredOut# transferredIn# balance#");
    app.finish().await;
}
