//! What is asked of a client, and of a transaction, in the same words: they differ in how a call is made.

/// The methods, for a type with `async fn call(&self, Work<'_>) -> Result<Answer, Error>`.
macro_rules! requests {
    () => {
        /// All rows of a query.
        ///
        /// # Errors
        /// See [`Error`](crate::Error); [`Error::effect`](crate::Error::effect) tells whether it may have changed something.
        pub async fn query<S>(
            &self,
            statement: &S,
            params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        ) -> Result<Vec<tokio_postgres::Row>, $crate::Error>
        where
            S: ?Sized + $crate::Sql,
        {
            self.call($crate::work::Work::Query(statement.source(), params))
                .await
                .map($crate::work::Answer::rows)
        }

        /// The only row of a query.
        ///
        /// # Errors
        /// [`Error::RowCount`](crate::Error::RowCount) for another number of rows; else as [`query`](Self::query).
        pub async fn query_one<S>(
            &self,
            statement: &S,
            params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        ) -> Result<tokio_postgres::Row, $crate::Error>
        where
            S: ?Sized + $crate::Sql,
        {
            $crate::client::one(self.query(statement, params).await?)
        }

        /// The only row of a query, if there is one.
        ///
        /// # Errors
        /// [`Error::RowCount`](crate::Error::RowCount) for more rows; else as [`query`](Self::query).
        pub async fn query_opt<S>(
            &self,
            statement: &S,
            params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        ) -> Result<Option<tokio_postgres::Row>, $crate::Error>
        where
            S: ?Sized + $crate::Sql,
        {
            $crate::client::optional(self.query(statement, params).await?)
        }

        /// The number of rows that a statement touched.
        ///
        /// # Errors
        /// As [`query`](Self::query).
        pub async fn execute<S>(
            &self,
            statement: &S,
            params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        ) -> Result<u64, $crate::Error>
        where
            S: ?Sized + $crate::Sql,
        {
            self.call($crate::work::Work::Execute(statement.source(), params))
                .await
                .map($crate::work::Answer::count)
        }

        /// Any number of statements without parameters, and their rows as text.
        ///
        /// # Errors
        /// As [`query`](Self::query).
        pub async fn simple_query(
            &self,
            text: &str,
        ) -> Result<Vec<tokio_postgres::SimpleQueryMessage>, $crate::Error> {
            self.call($crate::work::Work::Simple(text)).await.map($crate::work::Answer::messages)
        }

        /// Any number of statements without parameters, such as `SAVEPOINT a`.
        ///
        /// # Errors
        /// As [`query`](Self::query).
        pub async fn batch_execute(&self, text: &str) -> Result<(), $crate::Error> {
            self.call($crate::work::Work::Batch(text)).await.map(drop)
        }

        /// Prepares a statement, which outlives a transaction. It is prepared again by itself wherever the client goes on.
        ///
        /// # Errors
        /// As [`query`](Self::query).
        pub async fn prepare(&self, text: &str) -> Result<$crate::Statement, $crate::Error> {
            self.prepare_typed(text, &[]).await
        }

        /// The same with the types of its first parameters.
        ///
        /// # Errors
        /// As [`query`](Self::query).
        pub async fn prepare_typed(
            &self,
            text: &str,
            types: &[tokio_postgres::types::Type],
        ) -> Result<$crate::Statement, $crate::Error> {
            self.call($crate::work::Work::Prepare(text, types)).await.map($crate::work::Answer::prepared)
        }
    };
}

pub(crate) use requests;
