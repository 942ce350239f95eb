//! The table of faults.
//!
//! - [`launching`]: before there is a stream
//! - [`streams`]: on the stream, or beside it
//! - [`transactions`]: in the middle of a transaction
//! - [`servers`]: chaincode that serves

mod launching;
mod servers;
mod streams;
mod transactions;

use futures::future::join_all;

use crate::network::{Fault, Network};

/// Transactions that are in flight when their chaincode restarts.
const IN_FLIGHT: usize = 64;

/// Every fault under the name of its outcome.
pub(crate) const TABLE: [(&str, Fault); 28] = [
    ("exits_before_it_registers_and_its_output_is_in_the_error", |n| Box::pin(launching::exits_first(n))),
    ("exits_as_soon_as_it_has_registered", |n| Box::pin(launching::exits_afterwards(n))),
    ("registers_under_another_id_and_both_are_in_the_error", |n| Box::pin(launching::under_another_id(n))),
    ("never_registers", |n| Box::pin(launching::never(n))),
    ("starts_slowly_and_is_waited_for", |n| Box::pin(launching::slowly(n))),
    ("registers_on_a_second_stream_and_is_left_in_silence", |n| Box::pin(streams::own(n))),
    ("speaks_before_it_registers", |n| Box::pin(streams::early(n))),
    ("registers_with_the_certificate_of_another", |n| Box::pin(streams::certificate_of_the_other(n))),
    ("registers_with_the_id_of_another", |n| Box::pin(streams::id_of_the_other(n))),
    ("registers_without_a_certificate", |n| Box::pin(streams::no_certificate(n))),
    ("registers_twice_on_one_stream", |n| Box::pin(streams::register_again(n))),
    ("sends_what_is_no_message", |n| Box::pin(streams::no_kind(n))),
    ("ends_its_stream", |n| Box::pin(streams::end(n))),
    ("sends_101_mib", |n| Box::pin(streams::big(n))),
    ("floods", |n| Box::pin(streams::flood(n))),
    ("asks_without_reading_the_answers", |n| Box::pin(streams::deaf(n))),
    ("dies_in_the_middle_of_a_transaction", |n| Box::pin(transactions::die(n))),
    ("hangs", |n| Box::pin(transactions::hang(n))),
    ("answers_twice", |n| Box::pin(transactions::twice(n))),
    ("answers_late", |n| Box::pin(transactions::late(n))),
    ("asks_for_a_transaction_that_never_was", |n| Box::pin(transactions::made_up(n))),
    ("asks_for_what_cannot_be_read", |n| Box::pin(transactions::garbage(n))),
    ("leaves_queries_open", |n| Box::pin(transactions::iterate(n))),
    ("dies_while_another_chaincode_calls_it", |n| Box::pin(transactions::callee_dies(n))),
    ("restarts_with_64_transactions_in_flight", |n| Box::pin(transactions::restart(n))),
    ("as_a_server_restarts_with_64_transactions_in_flight", |n| Box::pin(servers::restart(n))),
    ("as_a_server_says_goodbye_and_goes_on", |n| Box::pin(servers::goodbye(n))),
    ("as_a_server_cannot_be_reached_and_the_error_says_why", |n| Box::pin(servers::unreachable(n))),
];

impl Network {
    /// What a transaction of the chaincode that misbehaves fails with.
    async fn fails(&self, args: &[&str]) -> String {
        self.client.error(crate::network::FAULTY, args).await
    }

    /// Sends many transactions that are held until `restart`; all of them must go well in the end.
    async fn restart_in_flight(&self, chaincode: &str, restart: impl Future<Output = ()>) {
        let hold = self.hold();
        let calls = (0..IN_FLIGHT).map(|_| {
            let (client, chaincode) = (self.client.clone(), chaincode.to_owned());
            tokio::spawn(async move { client.text(&chaincode, &["hold"]).await })
        });
        let calls: Vec<_> = calls.collect();
        self.until("all are in flight", || self.executions(chaincode) >= IN_FLIGHT as u64).await;
        drop(hold);
        restart.await;
        for held in join_all(calls).await {
            assert_eq!(held.expect("none fails"), "held");
        }
    }
}
