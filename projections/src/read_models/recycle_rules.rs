//! The recycle rules 回收规则: one row each, the deleted ones too. There are a handful.

use domain::recycle_rule::RecycleRule;
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use super::folded::fold;
use crate::consumer::HandleError;
use crate::table::{Cell, Kind, Table, Target, must, upsert};

/// 2: since when a rule decides whose new words wait.
pub(crate) const REVISION: i64 = 2;

pub(crate) const FILTER: Filter<'static> = Filter::StreamType("recycle_rule");

pub(crate) const TABLE: Table = Table {
    name: "recycle_rules",
    columns: &[
        must("id", Kind::Uuid),
        must("deleted", Kind::Bool),
        must("version", Kind::Int),
        must("position", Kind::Int),
        must("doc", Kind::Text),
    ],
    key: &["id"],
    indexes: &[],
};

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let events = page.iter().filter_map(|fact| match fact {
        Fact::RecycleRule(event) => Some(&**event),
        _ => None,
    });
    let changed = fold::<RecycleRule>(tx, &TABLE, target, events).await?;
    let row = |folded: &super::folded::Folded<RecycleRule>| {
        Ok(vec![
            folded.id.into(),
            folded.state.deleted_at.is_some().into(),
            folded.version.into(),
            folded.position.into(),
            Cell::text(&folded.doc()?),
        ])
    };
    let rows = changed.iter().map(row).collect::<Result<Vec<_>, HandleError>>()?;
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
