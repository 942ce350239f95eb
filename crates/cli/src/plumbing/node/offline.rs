//! Work on the ledgers of a peer that is not running.
// Fabric: internal/peer/node, core/ledger/kvledger

use windlass_peer::ledgers::{Ledgers, LedgersError};

use super::{super::log::Source, Failure, Session, configuration};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Pause,
    RebuildDbs,
    Reset,
    Resume,
    Rollback,
    Unjoin,
    UpgradeDbs,
}

/// Where the commands log.
const LOGGER: &str = "kvledger";

/// Does it, unless a peer is running on the ledgers.
pub(crate) fn run(work: Work, session: &Session) -> Result<(), Failure> {
    let channel = match work {
        Work::Pause | Work::Resume | Work::Rollback | Work::Unjoin => channel(session)?,
        Work::RebuildDbs | Work::Reset | Work::UpgradeDbs => "",
    };
    let (config, _) = configuration(session)?;
    let folder = config.peer.file_system_path.join("ledgersData");
    let done = Ledgers::open(&folder).and_then(|ledgers| perform(work, &ledgers, channel, session));
    done.map_err(Failure::usage)
}

fn perform(work: Work, ledgers: &Ledgers, channel: &str, session: &Session) -> Result<(), LedgersError> {
    let log = |function, text: String| session.log.info(Source(LOGGER, function), text);
    match work {
        Work::Pause => {
            ledgers.pause(channel)?;
            log("PauseChannel", format!("The channel [{channel}] has been successfully paused"));
        }
        Work::Resume => {
            ledgers.resume(channel)?;
            log("ResumeChannel", format!("The channel [{channel}] has been successfully resumed"));
        }
        Work::Unjoin => {
            ledgers.unjoin(channel)?;
            log("UnjoinChannel", format!("channel has been successfully unjoined ledgerID={channel}"));
        }
        Work::Rollback => {
            // Read as a number when the command line was.
            let number = session.values.text("blockNumber").parse().unwrap_or_default();
            ledgers.roll_back(channel, number)?;
            let text =
                format!("The channel [{channel}] has been successfully rolled back to the block number [{number}]");
            log("RollbackKVLedger", text);
        }
        Work::Reset => {
            log("ResetAllKVLedgers", "Resetting all channel ledgers to genesis block".to_owned());
            let channels = ledgers.reset()?;
            tell(&channels, |channels| log("ResetAllKVLedgers", format!("Found ledgers - [{channels}]")));
            let text = "All channel ledgers have been successfully reset to the genesis block";
            log("ResetAllKVLedgers", text.to_owned());
        }
        Work::RebuildDbs => {
            let channels = ledgers.rebuild()?;
            tell(&channels, |channels| {
                log("RebuildDBs", format!("The databases of [{channels}] will be rebuilt when the peer starts"));
            });
        }
        // State of an older layout is made again at the next start, whatever was done before.
        Work::UpgradeDbs => return Err(LedgersError::UpToDate),
    }
    Ok(())
}

fn tell(channels: &[String], say: impl Fn(String)) {
    if !channels.is_empty() {
        say(channels.join(" "));
    }
}

fn channel(session: &Session) -> Result<&str, Failure> {
    match session.values.text("channelID") {
        "" => Err(Failure::usage("Must supply channel ID")),
        channel => Ok(channel),
    }
}
