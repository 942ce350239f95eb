//! The table: what every contract does in every manner.

mod calls;
mod queries;
mod responses;
mod state;

use std::pin::Pin;

use crate::network::Case;

type Check = for<'a> fn(&'a Case) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Every check, in the order in which a case runs them.
pub(crate) const CHECKS: [(&str, Check); 19] = [
    ("knows its transaction", |case| Box::pin(responses::knows_its_transaction(case))),
    ("was initialised, once", |case| Box::pin(responses::was_initialised_once(case))),
    ("writes, reads and deletes", |case| Box::pin(state::writes_reads_and_deletes(case))),
    ("keeps keys with any character", |case| Box::pin(state::keeps_keys_with_any_character(case))),
    ("writes batches", |case| Box::pin(state::writes_batches(case))),
    ("holds keys to policies", |case| Box::pin(state::holds_keys_to_policies(case))),
    ("reads ranges", |case| Box::pin(queries::reads_ranges(case))),
    ("turns pages", |case| Box::pin(queries::turns_pages(case))),
    ("may not write after a page", |case| Box::pin(queries::may_not_write_after_a_page(case))),
    ("reads by composite keys", |case| Box::pin(queries::reads_by_composite_keys(case))),
    ("remembers history", |case| Box::pin(queries::remembers_history(case))),
    ("has no rich queries", |case| Box::pin(queries::has_no_rich_queries(case))),
    ("calls other chaincode", |case| Box::pin(calls::calls_other_chaincode(case))),
    ("may not call itself", |case| Box::pin(calls::may_not_call_itself(case))),
    ("sets events", |case| Box::pin(responses::sets_events(case))),
    ("answers with any status", |case| Box::pin(responses::answers_with_any_status(case))),
    ("runs many transactions at once", |case| Box::pin(calls::runs_many_transactions_at_once(case))),
    ("survives a panic", |case| Box::pin(calls::survives_a_panic(case))),
    ("carries big values", |case| Box::pin(state::carries_big_values(case))),
];

impl Case {
    async fn put(&self, args: &[&str]) {
        let submitted = self.client.submit(self.name, args).await;
        submitted.unwrap_or_else(|refusal| panic!("{:?}: {refusal}", args.first()));
    }

    async fn text(&self, args: &[&str]) -> String {
        self.client.text(self.name, args).await
    }

    async fn json(&self, args: &[&str]) -> serde_json::Value {
        self.client.json(self.name, args).await
    }

    /// What a failing function says.
    async fn error(&self, args: &[&str]) -> String {
        self.said(self.client.error(self.name, args).await)
    }

    /// What the contract said, without what the peer puts before the text of an ERROR.
    fn said(&self, text: String) -> String {
        match text.strip_prefix("error in simulation: transaction returned with failure: ") {
            Some(said) if self.library.reports_500_as_error() => said.to_owned(),
            _ => text,
        }
    }

    /// Asserts that a refusal by the peer reaches the client as far as the library lets it.
    #[track_caller]
    fn assert_refusal(&self, found: &str, start: &str, end: &str) {
        match self.library.passes_on_refusals() {
            true => assert!(found.starts_with(start) && found.ends_with(end), "{found}"),
            false => assert!(found.ends_with("Unsuccessful response received."), "{found}"),
        }
    }
}
