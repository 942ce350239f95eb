// Many transactions, and proof of those that were acknowledged.

import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { StatusCode } from '@hyperledger/fabric-gateway';
import { peer } from '@hyperledger/fabric-protos';
import { describeError } from '../lib/errors.mjs';
import { committedLine } from '../lib/results.mjs';

const CREATE_ASSET = ['{key}', 'blue', '5', 'Amara', '300'];

/** Submits until told to stop or the peer is gone. A worker that fails ends; none tries twice. */
export async function load({ contract }, options, emit) {
    const workers = options.workers ?? 4;
    const prefix = options.prefix ?? `load-${process.pid}-`;
    const args = options.args ?? CREATE_ASSET;
    const name = options.function ?? 'CreateAsset';
    let left = options.count ?? Infinity;
    let acknowledged = 0;
    let stopped = false;
    const stop = () => (stopped = true);
    process.once('SIGTERM', stop);
    const out = openSync(options.out, 'a');

    const work = async (worker) => {
        for (let number = 0; !stopped && left > 0; number += 1) {
            left -= 1;
            const key = `${prefix}${worker}-${number}`;
            const commit = await contract.submitAsync(name, { arguments: args.map((arg) => arg.replace('{key}', key)) });
            const status = await commit.getStatus();
            if (status.code !== StatusCode.VALID) {
                emit({ ...committedLine(status), step: 'invalid', worker, key });
                continue;
            }
            // In one write, so that a line is there whole or not at all.
            writeSync(out, `${status.transactionId} ${key} ${status.blockNumber}\n`);
            acknowledged += 1;
            if (acknowledged === 1) {
                emit({ step: 'running', ok: true });
            }
        }
    };
    await Promise.all(Array.from({ length: workers }, (_, worker) =>
        work(worker).catch((error) => emit({ step: 'failed', ok: false, worker, error: describeError(error) }))));

    process.removeListener('SIGTERM', stop);
    fsyncSync(out);
    closeSync(out);
    emit({ step: 'acknowledged', ok: true, acknowledged });
}

/** Looks for everything that `load` has noted. */
export async function verifyLoad({ network, channel, contract }, options, emit) {
    const lines = readFileSync(options.file, 'utf8').split('\n').filter((line) => line !== '');
    const name = options.function ?? 'ReadAsset';
    const system = network.getContract('qscc');
    const missing = [];
    const check = async (line) => {
        const [txId, key] = line.split(' ');
        try {
            await contract.evaluate(name, { arguments: [key] });
            const bytes = await system.evaluate('GetTransactionByID', { arguments: [channel, txId] });
            const code = peer.ProcessedTransaction.deserializeBinary(bytes).getValidationcode();
            if (code !== StatusCode.VALID) {
                missing.push({ txId, key, code });
            }
        } catch (error) {
            missing.push({ txId, key, error: describeError(error) });
        }
    };
    const queue = lines.values();
    await Promise.all(Array.from({ length: 16 }, async () => {
        for (const line of queue) {
            await check(line);
        }
    }));
    emit({ ok: missing.length === 0, checked: lines.length, missing: missing.slice(0, 20), missingCount: missing.length });
}
