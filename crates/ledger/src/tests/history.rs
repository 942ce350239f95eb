//! Histories: newest first, deletions marked, the client's time.

use windlass_proto::{protos::TxValidationCode::*, queryresult::KeyModification};

use crate::{
    HistoryIterator, LedgerError, LedgerOptions,
    testing::{self, Chain, timestamp, value},
};

fn drain(mut history: HistoryIterator) -> Vec<KeyModification> {
    let mut all = Vec::new();
    while let Some(modification) = history.next().expect("a modification") {
        all.push(modification);
    }
    all
}

fn modification(tx_id: &str, text: &str) -> KeyModification {
    KeyModification {
        tx_id: tx_id.into(),
        value: value(text),
        timestamp: Some(timestamp(tx_id)),
        is_delete: text.is_empty(),
    }
}

#[test]
fn tells_newest_first_what_valid_transactions_wrote() {
    for options in testing::options() {
        let chain = Chain::with(options);
        chain.run("one", |simulator| simulator.put_state("cc", "k", value("1")));
        let stale = chain.endorse("stale", |simulator| {
            simulator.get_state("cc", "k")?;
            simulator.put_state("cc", "k", value("never"))
        });
        let entries = vec![
            chain.endorse("two", |simulator| simulator.put_state("cc", "k", value("2"))),
            stale,
            chain.endorse("three", |simulator| simulator.delete_state("cc", "k")),
            chain.endorse("other", |simulator| {
                simulator.put_state("cc", "k2", value("x"))?;
                simulator.put_state("cc2", "k", value("x"))?;
                simulator.put_private("cc", "coll", "k", value("x"))?;
                simulator.put_metadata("cc", "k", Default::default())
            }),
        ];
        assert_eq!(chain.commit(entries).codes, [Valid, MvccReadConflict, Valid, Valid]);
        let before = chain.ledger.simulator("reader").expect("a simulator");
        let open = before.history("cc", "k").expect("a history");
        chain.run("four", |simulator| simulator.put_state("cc", "k", value("4")));
        let expected = [modification("three", ""), modification("two", "2"), modification("one", "1")];
        assert_eq!(drain(open), expected, "a simulation sees its snapshot");
        let query = chain.ledger.query().expect("a query");
        let now = drain(query.history("cc", "k").expect("a history"));
        assert_eq!((now.len(), &now[0], &now[1..]), (4, &modification("four", "4"), &expected[..]));
        assert_eq!(drain(query.history("cc", "none").expect("a history")), []);
        assert_eq!(before.results().expect("results").public, "", "nothing is recorded");
        let mut closed = query.history("cc", "k").expect("a history");
        closed.close();
        assert_eq!(drain(closed), []);
    }
}

#[test]
fn histories_can_be_switched_off_and_on() {
    let [with, _] = testing::options();
    let without = LedgerOptions { history: false, ..with.clone() };
    let chain = Chain::with(without);
    chain.run("one", |simulator| simulator.put_state("cc", "k", value("1")));
    let error = chain.ledger.simulator("tx").expect("a simulator").history("cc", "k").expect_err("no history");
    assert!(matches!(error, LedgerError::HistoryDisabled));
    assert_eq!(error.to_string(), "history database is not enabled");
    let chain = Chain { options: with, ..chain }.reopen(|_| {});
    let query = chain.ledger.query().expect("a query");
    assert_eq!(drain(query.history("cc", "k").expect("a history")), [modification("one", "1")]);
}
