//! Every command of Fabric's `peer`, with its flags.
// Fabric: endorsement-and-gateway §11

use clap_complete::Shell;

use super::flags::Flag;
use crate::plumbing::node::offline::Work;

/// A command, or a group of commands.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) name: &'static str,
    /// What stands behind the name in the usage line.
    pub(super) arguments: &'static str,
    pub(super) short: &'static str,
    /// What `--help` says first; the short text if this is empty.
    pub(super) long: &'static str,
    /// What is done; a group has none.
    pub(super) task: Option<Task>,
    pub(super) flags: &'static [&'static Flag],
    /// Flags of this entry and everything below it.
    pub(super) persistent: &'static [&'static Flag],
    pub(super) commands: &'static [Entry],
    /// Left out of help: commands of Fabric before 3.0.
    pub(super) hidden: bool,
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Package,
    CalculatePackageId,
    Install,
    QueryInstalled,
    GetInstalledPackage,
    Approve,
    QueryApproved,
    CheckCommitReadiness,
    Commit,
    QueryCommitted,
    Invoke,
    Query,
    ChannelCreate,
    ChannelFetch,
    ChannelInfo,
    ChannelJoin,
    ChannelList,
    ChannelSign,
    ChannelUpdate,
    Version,
    /// Prints a script for a shell.
    Completion(Shell),
    NodeStart,
    NodeOffline(Work),
    /// Not available, and why.
    Refuse(&'static str),
}

const BLANK: Entry = Entry {
    name: "",
    arguments: "",
    short: "",
    long: "",
    task: None,
    flags: &[],
    persistent: &[],
    commands: &[],
    hidden: false,
};

const fn refused(name: &'static str, short: &'static str, long: &'static str, why: &'static str) -> Entry {
    Entry { name, short, long, task: Some(Task::Refuse(why)), ..BLANK }
}

const fn offline(name: &'static str, short: &'static str, long: &'static str, work: Work) -> Entry {
    Entry { name, short, long, task: Some(Task::NodeOffline(work)), ..BLANK }
}

const fn legacy(name: &'static str) -> Entry {
    Entry { hidden: true, ..refused(name, "", "", LEGACY) }
}

const LEGACY: &str = "it belongs to the chaincode lifecycle before Fabric 2.0, which is not available; use 'lifecycle chaincode' \
     package, install, approveformyorg and commit";
const SNAPSHOTS: &str = "ledger snapshots are not available";

// Flags of the connection to the ordering service.
const ORDERER: Flag = Flag::text("orderer", "Ordering service endpoint").short('o');
const TLS: Flag = Flag::switch("tls", "Use TLS when communicating with the orderer endpoint");
const CLIENT_AUTH: Flag = Flag::switch("clientauth", "Use mutual TLS when communicating with the orderer endpoint");
const CA_FILE: Flag =
    Flag::text("cafile", "Path to file containing PEM-encoded trusted certificate(s) for the ordering endpoint");
const KEY_FILE: Flag = Flag::text(
    "keyfile",
    "Path to file containing PEM-encoded private key to use for mutual TLS communication with the orderer endpoint",
);
const CERT_FILE: Flag = Flag::text(
    "certfile",
    "Path to file containing PEM-encoded X509 public key to use for mutual TLS communication with the orderer endpoint",
);
const OVERRIDE: Flag = Flag::text(
    "ordererTLSHostnameOverride",
    "The hostname override to use when validating the TLS connection to the orderer",
);
const CONN_TIMEOUT: Flag = Flag::duration("connTimeout", "Timeout for client to connect").default("3s");
const TIME_SHIFT: Flag = Flag::duration(
    "tlsHandshakeTimeShift",
    "The amount of time to shift backwards for certificate expiration checks during TLS handshakes with the orderer endpoint",
);
const ORDERER_FLAGS: &[&Flag] =
    &[&ORDERER, &TLS, &CLIENT_AUTH, &CA_FILE, &KEY_FILE, &CERT_FILE, &OVERRIDE, &CONN_TIMEOUT, &TIME_SHIFT];

// Flags of the connection to peers.
const PEERS: Flag = Flag::list("peerAddresses", "The addresses of the peers to connect to");
const ROOTS: Flag = Flag::list(
    "tlsRootCertFiles",
    "If TLS is enabled, the paths to the TLS root cert files of the peers to connect to. The order and number of certs specified should match the --peerAddresses flag",
);
const PROFILE: Flag = Flag::text(
    "connectionProfile",
    "The fully qualified path to the connection profile that provides the necessary connection information for the network. Note: currently only supported for providing peer connection information",
);
const CHAINCODE_PROFILE: Flag = Flag::text(
    "connectionProfile",
    "Connection profile that provides the necessary connection information for the network. Note: currently only supported for providing peer connection information",
);
const TARGET: Flag =
    Flag::text("targetPeer", "When using a connection profile, the name of the peer to target for this action");

const CHANNEL: Flag = Flag::text("channelID", "The channel on which this command should be executed").short('C');
const NAME: Flag = Flag::text("name", "Name of the chaincode").short('n');
const OUTPUT: Flag = Flag::text(
    "output",
    "The output format for query results. Default is human-readable plain-text. json is currently the only supported format.",
)
.short('O');

// Flags of a definition.
const VERSION: Flag = Flag::text("version", "Version of the chaincode").short('v');
const SEQUENCE: Flag = Flag::integer("sequence", "The sequence number of the chaincode definition for the channel");
const PACKAGE_ID: Flag = Flag::text("package-id", "The identifier of the chaincode install package");
const INIT_REQUIRED: Flag = Flag::switch("init-required", "Whether the chaincode requires invoking 'init'");
const ENDORSEMENT_PLUGIN: Flag =
    Flag::text("endorsement-plugin", "The name of the endorsement plugin to be used for this chaincode").short('E');
const VALIDATION_PLUGIN: Flag =
    Flag::text("validation-plugin", "The name of the validation plugin to be used for this chaincode").short('V');
const SIGNATURE_POLICY: Flag = Flag::text(
    "signature-policy",
    "The endorsement policy associated to this chaincode specified as a signature policy",
);
const CHANNEL_POLICY: Flag = Flag::text(
    "channel-config-policy",
    "The endorsement policy associated to this chaincode specified as a channel config policy reference",
);
const COLLECTIONS: Flag =
    Flag::text("collections-config", "The fully qualified path to the collection JSON file including the file name");
const INSPECT: Flag = Flag::switch(
    "inspect",
    "If inspect is enabled, output additional information to identify discrepancies when an organization's approval is false",
);
const WAIT: Flag = Flag::switch(
    "waitForEvent",
    "Whether to wait for the event from each peer's deliver filtered service signifying that the transaction has been committed successfully",
)
.default("true");
const WAIT_TIMEOUT: Flag = Flag::duration(
    "waitForEventTimeout",
    "Time to wait for the event from each peer's deliver filtered service signifying that the 'invoke' transaction has been committed successfully",
)
.default("30s");

// Flags of packages.
const PATH: Flag = Flag::text("path", "Path to the chaincode").short('p');
const LANG: Flag = Flag::text("lang", "Language the chaincode is written in").short('l').default("golang");
const LABEL: Flag = Flag::text("label", "The package label contains a human-readable description of the package");
const OUTPUT_DIRECTORY: Flag = Flag::text(
    "output-directory",
    "The output directory to use when writing a chaincode install package to disk. Default is the current working directory.",
);

// Flags of invoke and query.
const CTOR: Flag = Flag::text("ctor", "Constructor message for the chaincode in JSON format").short('c').default("{}");
const IS_INIT: Flag = Flag::switch(
    "isInit",
    "Is this invocation for init (useful for supporting legacy chaincodes in the new lifecycle)",
)
.short('I');
const TRANSIENT: Flag = Flag::text("transient", "Transient map of arguments in JSON encoding");
const INVOKE_WAIT: Flag = Flag::switch(
    "waitForEvent",
    "Whether to wait for the event from each peer's deliver filtered service signifying that the 'invoke' transaction has been committed successfully",
);
const RAW: Flag =
    Flag::switch("raw", "If true, output the query value as raw bytes, otherwise format as a printable string")
        .short('r');
const HEX: Flag =
    Flag::switch("hex", "If true, output the query value byte array in hexadecimal. Incompatible with --raw")
        .short('x');
const CHAINCODE_FLAGS: &[&Flag] =
    &[&ORDERER, &TLS, &CLIENT_AUTH, &CA_FILE, &KEY_FILE, &CERT_FILE, &OVERRIDE, &CONN_TIMEOUT, &TIME_SHIFT, &TRANSIENT];

// Flags of channels.
const CHANNEL_LOWER: Flag = Flag::text(
    "channelID",
    "In case of a newChain command, the channel ID to create. It must be all lower case, less than 250 characters long and match the regular expression: [a-z][a-z0-9.-]*",
)
.short('c');
const FILE: Flag = Flag::text(
    "file",
    "Configuration transaction file generated by a tool such as configtxgen for submitting to orderer",
)
.short('f');
const OUTPUT_BLOCK: Flag =
    Flag::text("outputBlock", "The path to write the genesis block for the channel. (default ./<channelID>.block)");
const TIMEOUT: Flag = Flag::duration("timeout", "Channel creation timeout").short('t').default("10s");
const BEST_EFFORT: Flag =
    Flag::switch("bestEffort", "Whether fetch requests should ignore errors and return blocks on a best effort basis");
const BLOCK_PATH: Flag = Flag::text("blockpath", "Path to file containing genesis block").short('b');
const SNAPSHOT_PATH: Flag = Flag::text("snapshotpath", "Path to the snapshot directory");

// Flags of nodes and snapshots.
const DEVELOPMENT: Flag = Flag::switch("peer-chaincodedev", "start peer in chaincode development mode");
const PAUSED: Flag = Flag::text("channelID", "Channel to pause.").short('c');
const RESUMED: Flag = Flag::text("channelID", "Channel to resume.").short('c');
const ROLLED_BACK: Flag = Flag::text("channelID", "Channel to rollback.").short('c');
const UNJOINED: Flag = Flag::text("channelID", "Channel to unjoin.").short('c');
const ROLLBACK_TO: Flag =
    Flag::unsigned("blockNumber", "Block number to which the channel needs to be rolled back to.").short('b');
const SNAPSHOT_CHANNEL: Flag =
    Flag::text("channelID", "The channel on which this command should be executed").short('c');
const SNAPSHOT_BLOCK: Flag =
    Flag::unsigned("blockNumber", "The block number for which a snapshot will be generated").short('b');
const PEER_ADDRESS: Flag = Flag::text("peerAddress", "The address of the peer to connect to");
const TLS_ROOT: Flag = Flag::text(
    "tlsRootCertFile",
    "The path to the TLS root cert file of the peer to connect to, required if TLS is enabled and ignored if TLS is disabled.",
);

/// The command itself.
pub(crate) static ROOT: Entry = Entry {
    name: "peer",
    commands: &[CHAINCODE, CHANNELS, COMPLETION, LIFECYCLE, NODES, SNAPSHOT, PRINT_VERSION],
    ..BLANK
};

/// `help` stands in the list, but is understood before any other command.
pub(super) static HELP: Entry = Entry { name: "help", short: "Help about any command", ..BLANK };

/// Every program that is made as Fabric's is has it.
pub(super) const COMPLETION: Entry = Entry {
    name: "completion",
    short: "Generate the autocompletion script for the specified shell",
    commands: &[
        completion("bash", "Generate the autocompletion script for bash", Shell::Bash),
        completion("fish", "Generate the autocompletion script for fish", Shell::Fish),
        completion("powershell", "Generate the autocompletion script for powershell", Shell::PowerShell),
        completion("zsh", "Generate the autocompletion script for zsh", Shell::Zsh),
    ],
    ..BLANK
};

const NO_DESCRIPTIONS: Flag = Flag::switch("no-descriptions", "disable completion descriptions");

const fn completion(name: &'static str, short: &'static str, shell: Shell) -> Entry {
    Entry { name, short, task: Some(Task::Completion(shell)), flags: &[&NO_DESCRIPTIONS], ..BLANK }
}

const PRINT_VERSION: Entry = Entry {
    name: "version",
    short: "Print fabric peer version.",
    long: "Print current version of the fabric peer server.",
    task: Some(Task::Version),
    ..BLANK
};

const LIFECYCLE: Entry = Entry {
    name: "lifecycle",
    short: "Perform _lifecycle operations",
    commands: &[Entry {
        name: "chaincode",
        short: "Perform chaincode operations: package|install|queryinstalled|getinstalledpackage|calculatepackageid|approveformyorg|queryapproved|checkcommitreadiness|commit|querycommitted",
        persistent: ORDERER_FLAGS,
        commands: LIFECYCLE_COMMANDS,
        ..BLANK
    }],
    ..BLANK
};

const LIFECYCLE_COMMANDS: &[Entry] = &[
    Entry {
        name: "package",
        arguments: "[outputfile]",
        short: "Package a chaincode",
        long: "Package a chaincode and write the package to a file.",
        task: Some(Task::Package),
        flags: &[&LABEL, &LANG, &PATH, &PEERS, &ROOTS, &PROFILE],
        ..BLANK
    },
    Entry {
        name: "calculatepackageid",
        arguments: "[packageFile]",
        short: "Calculate the package ID for a chaincode.",
        long: "Calculate the package ID for a packaged chaincode.",
        task: Some(Task::CalculatePackageId),
        flags: &[&PEERS, &ROOTS, &PROFILE, &OUTPUT],
        ..BLANK
    },
    Entry {
        name: "install",
        arguments: "[packageFile]",
        short: "Install a chaincode.",
        long: "Install a chaincode on a peer.",
        task: Some(Task::Install),
        flags: &[&PEERS, &ROOTS, &PROFILE, &TARGET],
        ..BLANK
    },
    Entry {
        name: "queryinstalled",
        short: "Query the installed chaincodes on a peer.",
        task: Some(Task::QueryInstalled),
        flags: &[&PEERS, &ROOTS, &PROFILE, &TARGET, &OUTPUT],
        ..BLANK
    },
    Entry {
        name: "getinstalledpackage",
        arguments: "[outputfile]",
        short: "Get an installed chaincode package from a peer.",
        task: Some(Task::GetInstalledPackage),
        flags: &[&PEERS, &ROOTS, &PROFILE, &TARGET, &PACKAGE_ID, &OUTPUT_DIRECTORY],
        ..BLANK
    },
    Entry {
        name: "approveformyorg",
        short: "Approve the chaincode definition for my org.",
        long: "Approve the chaincode definition for my organization.",
        task: Some(Task::Approve),
        flags: &[
            &CHANNEL,
            &NAME,
            &VERSION,
            &PACKAGE_ID,
            &SEQUENCE,
            &ENDORSEMENT_PLUGIN,
            &VALIDATION_PLUGIN,
            &SIGNATURE_POLICY,
            &CHANNEL_POLICY,
            &INIT_REQUIRED,
            &COLLECTIONS,
            &PEERS,
            &ROOTS,
            &PROFILE,
            &WAIT,
            &WAIT_TIMEOUT,
        ],
        ..BLANK
    },
    Entry {
        name: "queryapproved",
        short: "Query org's approved chaincode definitions from its peer.",
        long: "Query organization's approved chaincode definitions from its peer.",
        task: Some(Task::QueryApproved),
        flags: &[&CHANNEL, &NAME, &SEQUENCE, &PEERS, &ROOTS, &PROFILE, &OUTPUT],
        ..BLANK
    },
    Entry {
        name: "checkcommitreadiness",
        short: "Check whether a chaincode definition is ready to be committed on a channel.",
        task: Some(Task::CheckCommitReadiness),
        flags: &[
            &CHANNEL,
            &NAME,
            &VERSION,
            &SEQUENCE,
            &ENDORSEMENT_PLUGIN,
            &VALIDATION_PLUGIN,
            &SIGNATURE_POLICY,
            &CHANNEL_POLICY,
            &INIT_REQUIRED,
            &COLLECTIONS,
            &PEERS,
            &ROOTS,
            &PROFILE,
            &OUTPUT,
            &INSPECT,
        ],
        ..BLANK
    },
    Entry {
        name: "commit",
        short: "Commit the chaincode definition on the channel.",
        task: Some(Task::Commit),
        flags: &[
            &CHANNEL,
            &NAME,
            &VERSION,
            &SEQUENCE,
            &ENDORSEMENT_PLUGIN,
            &VALIDATION_PLUGIN,
            &SIGNATURE_POLICY,
            &CHANNEL_POLICY,
            &INIT_REQUIRED,
            &COLLECTIONS,
            &PEERS,
            &ROOTS,
            &PROFILE,
            &WAIT,
            &WAIT_TIMEOUT,
        ],
        ..BLANK
    },
    Entry {
        name: "querycommitted",
        short: "Query the committed chaincode definitions by channel on a peer.",
        long: "Query the committed chaincode definitions by channel on a peer. Optional: provide a chaincode name to query a specific definition.",
        task: Some(Task::QueryCommitted),
        flags: &[&CHANNEL, &NAME, &PEERS, &ROOTS, &PROFILE, &OUTPUT],
        ..BLANK
    },
];

const CHAINCODE: Entry = Entry {
    name: "chaincode",
    short: "Query or invoke a chaincode: invoke|query.",
    persistent: CHAINCODE_FLAGS,
    commands: &[
        Entry {
            name: "invoke",
            short: "Invoke the specified chaincode.",
            long: "Invoke the specified chaincode. It will try to commit the endorsed transaction to the network.",
            task: Some(Task::Invoke),
            flags: &[&CHANNEL, &NAME, &CTOR, &IS_INIT, &PEERS, &ROOTS, &CHAINCODE_PROFILE, &INVOKE_WAIT, &WAIT_TIMEOUT],
            ..BLANK
        },
        Entry {
            name: "query",
            short: "Query using the specified chaincode.",
            long: "Get endorsed result of chaincode function call and print it. It won't generate transaction.",
            task: Some(Task::Query),
            flags: &[&CHANNEL, &NAME, &CTOR, &RAW, &HEX, &PEERS, &ROOTS, &CHAINCODE_PROFILE],
            ..BLANK
        },
        legacy("install"),
        legacy("instantiate"),
        legacy("upgrade"),
        legacy("list"),
        legacy("package"),
        legacy("signpackage"),
    ],
    ..BLANK
};

const CHANNELS: Entry = Entry {
    name: "channel",
    short: "Operate a channel: create|fetch|join|joinbysnapshot|joinbysnapshotstatus|list|update|signconfigtx|getinfo.",
    persistent: ORDERER_FLAGS,
    commands: &[
        Entry {
            name: "create",
            short: "[DEPRECATED] Create a channel",
            long: "[DEPRECATED] Create a channel and write the genesis block to a file. Instead of this command, use Orderer Service Node (OSN).",
            task: Some(Task::ChannelCreate),
            flags: &[&CHANNEL_LOWER, &FILE, &OUTPUT_BLOCK, &TIMEOUT],
            ..BLANK
        },
        Entry {
            name: "fetch",
            arguments: "<newest|oldest|config|(number)> [outputfile]",
            short: "Fetch a block",
            long: "Fetch a specified block, writing it to a file.",
            task: Some(Task::ChannelFetch),
            flags: &[&CHANNEL_LOWER, &BEST_EFFORT],
            ..BLANK
        },
        Entry {
            name: "getinfo",
            short: "get blockchain information of a specified channel.",
            long: "get blockchain information of a specified channel. Requires '-c'.",
            task: Some(Task::ChannelInfo),
            flags: &[&CHANNEL_LOWER],
            ..BLANK
        },
        Entry {
            name: "join",
            short: "Joins the peer to a channel.",
            task: Some(Task::ChannelJoin),
            flags: &[&BLOCK_PATH],
            ..BLANK
        },
        Entry {
            flags: &[&SNAPSHOT_PATH],
            ..refused("joinbysnapshot", "Joins the peer to a channel by the specified snapshot", "", SNAPSHOTS)
        },
        refused("joinbysnapshotstatus", "Query if joinbysnapshot is running for any channel", "", SNAPSHOTS),
        Entry { name: "list", short: "List of channels peer has joined.", task: Some(Task::ChannelList), ..BLANK },
        Entry {
            name: "signconfigtx",
            short: "Signs a configtx update.",
            long: "Signs the supplied configtx update file in place on the filesystem. Requires '-f'.",
            task: Some(Task::ChannelSign),
            flags: &[&FILE],
            ..BLANK
        },
        Entry {
            name: "update",
            short: "Send a configtx update.",
            long: "Signs and sends the supplied configtx update file to the channel. Requires '-f', '-o', '-c'.",
            task: Some(Task::ChannelUpdate),
            flags: &[&CHANNEL_LOWER, &FILE],
            ..BLANK
        },
    ],
    ..BLANK
};

const NODES: Entry = Entry {
    name: "node",
    short: "Operate a peer node: start|reset|rollback|pause|resume|rebuild-dbs|unjoin|upgrade-dbs.",
    commands: &[
        Entry {
            flags: &[&PAUSED],
            ..offline(
                "pause",
                "Pauses a channel on the peer.",
                "Pauses a channel on the peer. When the command is executed, the peer must be offline. When the peer starts after pause, it will not receive blocks for the paused channel.",
                Work::Pause,
            )
        },
        offline(
            "rebuild-dbs",
            "Rebuilds databases.",
            "Drops the databases for all the channels and rebuilds them upon peer restart. When the command is executed, the peer must be offline. The command is not supported if the peer contains any channel that was bootstrapped from a snapshot.",
            Work::RebuildDbs,
        ),
        offline(
            "reset",
            "Resets the node.",
            "Resets all channels to the genesis block. When the command is executed, the peer must be offline. When the peer starts after the reset, it will receive blocks starting with block number one from an orderer or another peer to rebuild the block store and state database. The command is not supported if the peer contains any channel that was bootstrapped from a snapshot.",
            Work::Reset,
        ),
        Entry {
            flags: &[&RESUMED],
            ..offline(
                "resume",
                "Resumes a channel on the peer.",
                "Resumes a channel on the peer. When the command is executed, the peer must be offline. When the peer starts after resume, it will receive blocks for the resumed channel.",
                Work::Resume,
            )
        },
        Entry {
            flags: &[&ROLLED_BACK, &ROLLBACK_TO],
            ..offline(
                "rollback",
                "Rolls back a channel.",
                "Rolls back a channel to a specified block number. When the command is executed, the peer must be offline. When the peer starts after the rollback, it will receive blocks, which got removed during the rollback, from an orderer or another peer to rebuild the block store and state database. The command is not supported if the peer contains any channel that was bootstrapped from a snapshot.",
                Work::Rollback,
            )
        },
        Entry {
            name: "start",
            short: "Starts the node.",
            long: "Starts a node that interacts with the network.",
            task: Some(Task::NodeStart),
            flags: &[&DEVELOPMENT],
            ..BLANK
        },
        Entry {
            flags: &[&UNJOINED],
            ..offline(
                "unjoin",
                "Unjoin the peer from a channel.",
                "Unjoin the peer from a channel.  When the command is executed, the peer must be offline.",
                Work::Unjoin,
            )
        },
        offline(
            "upgrade-dbs",
            "Upgrades databases.",
            "Upgrades databases by directly updating the database format or dropping the databases. Dropped databases will be rebuilt with new format upon peer restart. When the command is executed, the peer must be offline.",
            Work::UpgradeDbs,
        ),
    ],
    ..BLANK
};

const SNAPSHOT: Entry = Entry {
    name: "snapshot",
    short: "Manage snapshot requests: submitrequest|cancelrequest|listpending",
    commands: &[
        Entry {
            flags: &[&SNAPSHOT_CHANNEL, &SNAPSHOT_BLOCK, &PEER_ADDRESS, &TLS_ROOT],
            ..refused("cancelrequest", "Cancel a request for a snapshot at the specified block.", "", SNAPSHOTS)
        },
        Entry {
            flags: &[&SNAPSHOT_CHANNEL, &PEER_ADDRESS, &TLS_ROOT],
            ..refused("listpending", "List pending requests for snapshots.", "", SNAPSHOTS)
        },
        Entry {
            flags: &[&SNAPSHOT_CHANNEL, &SNAPSHOT_BLOCK, &PEER_ADDRESS, &TLS_ROOT],
            ..refused(
                "submitrequest",
                "Submit a request for a snapshot at the specified block.",
                "Submit a request for a snapshot at the specified block. When the blockNumber parameter is set to 0 or not provided, it will submit a request for the last committed block.",
                SNAPSHOTS,
            )
        },
    ],
    ..BLANK
};
