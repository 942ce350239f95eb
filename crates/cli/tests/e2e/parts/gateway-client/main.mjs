// One scenario, or with `serve` many: see README.md.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { chaincodeEvents, checkpointEvents } from './scenarios/chaincode-events.mjs';
import { blockEvents, filteredBlockEvents, privateBlockEvents } from './scenarios/block-events.mjs';
import { chainInfo, verifyChain } from './scenarios/chain.mjs';
import { load, verifyLoad } from './scenarios/load.mjs';
import { offline } from './scenarios/offline.mjs';
import { conflict, endorseOnly, evaluate, submit, submitAsync, submitTwice } from './scenarios/transactions.mjs';
import { open } from './lib/connection.mjs';
import { describeError } from './lib/errors.mjs';

const SCENARIOS = {
    'evaluate': evaluate,
    'submit': submit,
    'submit-async': submitAsync,
    'endorse-only': endorseOnly,
    'submit-twice': submitTwice,
    'conflict': conflict,
    'offline': offline,
    'chaincode-events': chaincodeEvents,
    'checkpoint-events': checkpointEvents,
    'block-events': blockEvents,
    'filtered-block-events': filteredBlockEvents,
    'private-block-events': privateBlockEvents,
    'chain-info': chainInfo,
    'verify-chain': verifyChain,
    'load': load,
    'verify-load': verifyLoad,
};

async function main([readyArgument, scenario, options = '{}']) {
    if (!readyArgument || !scenario) {
        throw new Error('usage: node main.mjs READY|env SCENARIO|serve [OPTIONS]');
    }
    const path = readyArgument === 'env' ? process.env.WINDLASS_READY_FILE : readyArgument;
    if (!path) {
        throw new Error('WINDLASS_READY_FILE is not set');
    }
    const ready = JSON.parse(readFileSync(path, 'utf8'));
    if (scenario === 'serve') {
        await serve(ready);
    } else {
        await run(ready, { ...JSON.parse(options), scenario });
    }
}

async function serve(ready) {
    const running = new Set();
    for await (const line of createInterface({ input: process.stdin })) {
        if (line.trim() === '') {
            continue;
        }
        const options = JSON.parse(line);
        const request = run(ready, options).catch((error) => {
            print({ id: options.id, end: true, ok: false, error: describeError(error) });
        });
        running.add(request);
        request.finally(() => running.delete(request));
    }
    await Promise.all(running);
}

/** Runs one scenario on a connection of its own. What fails on the way is its last line. */
async function run(ready, options) {
    const emit = (line) => print(options.id === undefined ? line : { id: options.id, ...line });
    const scenario = SCENARIOS[options.scenario];
    if (!scenario) {
        throw new Error(`no scenario ${options.scenario}: there are ${Object.keys(SCENARIOS).join(', ')}`);
    }
    const connection = open(ready, options);
    try {
        await scenario(connection, options, emit);
        emit({ end: true });
    } catch (error) {
        emit({ end: true, ok: false, error: describeError(error) });
    } finally {
        connection.close();
    }
}

function print(line) {
    process.stdout.write(`${JSON.stringify(line)}\n`);
}

main(process.argv.slice(2)).catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
});
