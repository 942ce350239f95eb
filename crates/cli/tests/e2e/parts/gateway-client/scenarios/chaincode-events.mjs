// Chaincode events, from a position on.

import { checkpointers } from '@hyperledger/fabric-gateway';
import { takeEvents } from '../lib/results.mjs';

export async function chaincodeEvents({ network, chaincode }, options, emit) {
    const position = {};
    if (options.startBlock !== undefined) {
        position.startBlock = BigInt(options.startBlock);
    }
    if (options.afterTransactionId !== undefined) {
        // A checkpoint inside the start block: what follows this transaction.
        const checkpoint = checkpointers.inMemory();
        await checkpoint.checkpointTransaction(BigInt(options.startBlock ?? 0), options.afterTransactionId);
        position.checkpoint = checkpoint;
    }
    const events = await network.getChaincodeEvents(chaincode, position);
    emit({ step: 'listening', ok: true });
    const all = await takeEvents(events, options.count ?? 1, options.waitMs ?? 20_000, (event) => {
        emit(eventLine(event));
    });
    if (!all) {
        emit({ step: 'timeout', ok: false });
    }
}

export async function checkpointEvents({ network, chaincode }, options, emit) {
    const checkpoint = checkpointers.inMemory();
    const first = options.first ?? 1;
    const parts = [first, (options.count ?? first + 1) - first];
    for (const [index, count] of parts.entries()) {
        const startBlock = BigInt(options.startBlock ?? 0);
        const events = await network.getChaincodeEvents(chaincode, { startBlock, checkpoint });
        const all = await takeEvents(events, count, options.waitMs ?? 20_000, async (event) => {
            emit({ ...eventLine(event), part: index + 1 });
            await checkpoint.checkpointChaincodeEvent(event);
        });
        if (!all) {
            emit({ step: 'timeout', ok: false, part: index + 1 });
            return;
        }
    }
}

function eventLine(event) {
    return {
        step: 'event',
        ok: true,
        blockNumber: Number(event.blockNumber),
        txId: event.transactionId,
        chaincode: event.chaincodeName,
        name: event.eventName,
        payload: Buffer.from(event.payload).toString('utf8'),
    };
}
