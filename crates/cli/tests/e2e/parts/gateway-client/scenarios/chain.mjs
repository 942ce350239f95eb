// The chain as a whole.

import { closeSync, openSync, writeSync } from 'node:fs';
import { common } from '@hyperledger/fabric-protos';
import { dataHash, headerHash, transactionsOf } from '../lib/blocks.mjs';
import { takeEvents } from '../lib/results.mjs';

export async function chainInfo(connection, options, emit) {
    const info = await readInfo(connection);
    emit({
        ok: true,
        height: Number(info.getHeight()),
        currentHash: Buffer.from(info.getCurrentblockhash_asU8()).toString('hex'),
        previousHash: Buffer.from(info.getPreviousblockhash_asU8()).toString('hex'),
    });
}

/** Reads all blocks there are and checks them against each other and against what the peer says of the last. */
export async function verifyChain(connection, options, emit) {
    const info = await readInfo(connection);
    const height = Number(info.getHeight());
    const out = options.out === undefined ? undefined : openSync(options.out, 'w');
    const problems = [];
    const counts = { blocks: 0, transactions: 0, valid: 0 };
    const seen = new Set();
    let previous = '';
    const events = await connection.network.getBlockEvents({ startBlock: 0n });
    const all = await takeEvents(events, height, options.waitMs ?? 60_000, (block) => {
        const header = block.getHeader();
        const number = Number(header.getNumber());
        const expect = (condition, problem) => condition || problems.push(`block ${number}: ${problem}`);
        expect(number === counts.blocks, `expected number ${counts.blocks}`);
        expect(hex(header.getPreviousHash_asU8()) === previous, 'previous hash is not that of the block before');
        expect(hex(header.getDataHash_asU8()) === dataHash(block), 'data hash is not that of its data');
        previous = headerHash(header);
        counts.blocks += 1;
        for (const transaction of transactionsOf(block)) {
            counts.transactions += 1;
            expect(transaction.code !== undefined && transaction.code !== 254, `${transaction.txId} is not validated`);
            if (transaction.code === 0) {
                counts.valid += 1;
                expect(!transaction.txId || !seen.has(transaction.txId), `${transaction.txId} is valid twice`);
                seen.add(transaction.txId);
                if (out !== undefined && transaction.txId) {
                    writeSync(out, `${transaction.txId}\n`);
                }
            }
        }
    });
    if (out !== undefined) {
        closeSync(out);
    }
    if (!all) {
        problems.push(`expected ${height} blocks, received ${counts.blocks}`);
    }
    if (hex(info.getCurrentblockhash_asU8()) !== previous) {
        problems.push('the peer names another hash for the last block');
    }
    emit({ ok: problems.length === 0, height, ...counts, problems });
}

async function readInfo({ network, channel }) {
    const bytes = await network.getContract('qscc').evaluate('GetChainInfo', { arguments: [channel] });
    return common.BlockchainInfo.deserializeBinary(bytes);
}

function hex(bytes) {
    return Buffer.from(bytes).toString('hex');
}
