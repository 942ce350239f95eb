// Blocks as they come: full, filtered, and with private data.

import { blockLine } from '../lib/blocks.mjs';
import { statusName } from '../lib/errors.mjs';
import { takeEvents } from '../lib/results.mjs';

export async function blockEvents({ network }, options, emit) {
    await stream(await network.getBlockEvents(position(options)), options, emit, blockLine);
}

export async function filteredBlockEvents({ network }, options, emit) {
    await stream(await network.getFilteredBlockEvents(position(options)), options, emit, filteredLine);
}

export async function privateBlockEvents({ network }, options, emit) {
    const events = await network.getBlockAndPrivateDataEvents(position(options));
    await stream(events, options, emit, (event) => ({
        ...blockLine(event.getBlock()),
        privateTransactions: event.getPrivateDataMapMap().getLength(),
    }));
}

function position(options) {
    return options.startBlock === undefined ? {} : { startBlock: BigInt(options.startBlock) };
}

async function stream(events, options, emit, line) {
    emit({ step: 'listening', ok: true });
    const all = await takeEvents(events, options.count ?? 1, options.waitMs ?? 20_000, (event) => {
        emit({ ok: true, ...line(event) });
    });
    if (!all) {
        emit({ step: 'timeout', ok: false });
    }
}

function filteredLine(block) {
    return {
        step: 'block',
        channel: block.getChannelId(),
        number: Number(block.getNumber()),
        transactions: block.getFilteredTransactionsList().map((transaction) => ({
            txId: transaction.getTxid(),
            code: transaction.getTxValidationCode(),
            status: statusName(transaction.getTxValidationCode()),
            events: (transaction.getTransactionActions()?.getChaincodeActionsList() ?? [])
                .map((action) => action.getChaincodeEvent())
                .filter((event) => event?.getEventName())
                .map((event) => ({
                    chaincode: event.getChaincodeId(),
                    name: event.getEventName(),
                    payloadBytes: event.getPayload_asU8().length,
                })),
        })),
    };
}
