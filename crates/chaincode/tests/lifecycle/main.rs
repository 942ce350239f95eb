//! `_lifecycle` from outside: calls, answers, and what they read and write.

mod approve;
mod collections;
mod commit;
mod config;
mod dispatch;
mod endorse;
mod install;
mod ledger;
mod network;
mod query;
mod uninstall;
mod validate;
