//! The ordering service from outside: genesis, ordering, refusals, delivery, configuration updates, restarts.

mod broadcast;
mod config_updates;
mod deliver;
mod genesis;
mod kill;
mod network;
mod ordering;
