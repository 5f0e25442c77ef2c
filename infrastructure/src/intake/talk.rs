//! Speaking to a database: the same on every engine but for the driver's types.

use application::intake::SourceError;
use async_trait::async_trait;

/// A value to bind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A number.
    Number(i64),
}

/// A row, every column as the bytes of its text.
pub(super) type Row = Vec<Option<Vec<u8>>>;

/// A statement and what it binds.
pub(super) type Said<'a> = (&'a str, &'a [Value<'a>]);

/// A change that is made, asked about, and taken back.
pub(super) struct Rehearsal<'a> {
    /// What keeps others from changing the same row meanwhile.
    pub(super) lock: Option<Said<'a>>,
    /// Asked before and after the change.
    pub(super) question: Said<'a>,
    /// The change, which may not have to exist.
    pub(super) change: Said<'a>,
}

/// A connected database.
#[async_trait]
pub(super) trait Talk: Send + Sync {
    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SourceError>;

    async fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, SourceError>;

    /// Runs statements of a plan in one transaction. MySQL and MariaDB commit after each that changes a schema; repeated,
    /// an interrupted plan goes on.
    async fn apply(&self, statements: &[String]) -> Result<(), SourceError>;

    /// Runs the first statements, asks for a number, and only if that is 0 runs the others, all in one transaction that
    /// is taken back otherwise. The number. MySQL and MariaDB do not take the first statements back.
    async fn apply_if_none(
        &self,
        first: &[String],
        question: Said<'_>,
        then: &[String],
    ) -> Result<i64, SourceError>;

    /// The answers before and after the change.
    async fn rehearse(&self, rehearsal: Rehearsal<'_>) -> Result<(Vec<Row>, Vec<Row>), SourceError>;
}

/// Implements [`Talk`] for an engine with a field `pool` of this driver, whose transactions begin like this.
macro_rules! talk {
    ($engine:ty, $driver:ty, $begin:ident($($how:expr)?)) => {
        type Connection = <$driver as sqlx::Database>::Connection;
        type Query<'q> = sqlx::query::Query<'q, $driver, <$driver as sqlx::Database>::Arguments>;

        fn query<'q>((sql, values): $crate::intake::talk::Said<'_>) -> Query<'q> {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
            for value in values {
                query = match value {
                    $crate::intake::talk::Value::Text(text) => query.bind((*text).to_owned()),
                    $crate::intake::talk::Value::Number(number) => query.bind(*number),
                };
            }
            query
        }

        fn cells(
            rows: Vec<<$driver as sqlx::Database>::Row>,
        ) -> Result<Vec<$crate::intake::talk::Row>, sqlx::Error> {
            use sqlx::Row as _;
            let cells = |row: <$driver as sqlx::Database>::Row| {
                (0..row.len()).map(|place| row.try_get_unchecked::<Option<Vec<u8>>, _>(place)).collect()
            };
            rows.into_iter().map(cells).collect()
        }

        async fn each(connection: &mut Connection, statements: &[String]) -> Result<(), sqlx::Error> {
            for statement in statements {
                sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).execute(&mut *connection).await?;
            }
            Ok(())
        }

        async fn ask(
            connection: &mut Connection,
            question: $crate::intake::talk::Said<'_>,
        ) -> Result<Vec<$crate::intake::talk::Row>, sqlx::Error> {
            cells(query(question).fetch_all(&mut *connection).await?)
        }

        async fn tried(
            connection: &mut Connection,
            rehearsal: $crate::intake::talk::Rehearsal<'_>,
        ) -> Result<(Vec<$crate::intake::talk::Row>, Vec<$crate::intake::talk::Row>), sqlx::Error> {
            if let Some(lock) = rehearsal.lock {
                ask(connection, lock).await?;
            }
            let before = ask(connection, rehearsal.question).await?;
            query(rehearsal.change).execute(&mut *connection).await?;
            Ok((before, ask(connection, rehearsal.question).await?))
        }

        #[async_trait::async_trait]
        impl $crate::intake::talk::Talk for $engine {
            async fn rows(
                &self,
                sql: &str,
                values: &[$crate::intake::talk::Value<'_>],
            ) -> Result<Vec<$crate::intake::talk::Row>, application::intake::SourceError> {
                let rows = query((sql, values)).fetch_all(&self.pool).await;
                rows.and_then(cells).map_err($crate::intake::error::from_sqlx)
            }

            async fn run(
                &self,
                sql: &str,
                values: &[$crate::intake::talk::Value<'_>],
            ) -> Result<u64, application::intake::SourceError> {
                let ran = query((sql, values)).execute(&self.pool).await;
                ran.map(|ran| ran.rows_affected()).map_err($crate::intake::error::from_sqlx)
            }

            async fn apply(&self, statements: &[String]) -> Result<(), application::intake::SourceError> {
                let applied = async {
                    let mut transaction = self.pool.$begin($($how)?).await?;
                    each(&mut transaction, statements).await?;
                    transaction.commit().await
                };
                applied.await.map_err($crate::intake::error::from_sqlx)
            }

            async fn apply_if_none(
                &self,
                first: &[String],
                question: $crate::intake::talk::Said<'_>,
                then: &[String],
            ) -> Result<i64, application::intake::SourceError> {
                let from_sqlx = $crate::intake::error::from_sqlx;
                let mut transaction = self.pool.$begin($($how)?).await.map_err(from_sqlx)?;
                each(&mut transaction, first).await.map_err(from_sqlx)?;
                let rows = ask(&mut transaction, question).await.map_err(from_sqlx)?;
                let count = rows.first().map_or(Ok(0), |row| $crate::intake::table::number(row, 0))?;
                if count > 0 {
                    transaction.rollback().await.map_err(from_sqlx)?;
                    return Ok(count);
                }
                each(&mut transaction, then).await.map_err(from_sqlx)?;
                transaction.commit().await.map_err(from_sqlx)?;
                Ok(0)
            }

            async fn rehearse(
                &self,
                rehearsal: $crate::intake::talk::Rehearsal<'_>,
            ) -> Result<
                (Vec<$crate::intake::talk::Row>, Vec<$crate::intake::talk::Row>),
                application::intake::SourceError,
            > {
                let from_sqlx = $crate::intake::error::from_sqlx;
                let mut transaction = self.pool.$begin($($how)?).await.map_err(from_sqlx)?;
                let answers = tried(&mut transaction, rehearsal).await;
                transaction.rollback().await.map_err(from_sqlx)?;
                answers.map_err(from_sqlx)
            }
        }
    };
}

pub(super) use talk;
