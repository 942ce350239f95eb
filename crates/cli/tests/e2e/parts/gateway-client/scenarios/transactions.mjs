// Calls through the gateway.

import { proposalOptions } from '../lib/connection.mjs';
import { describeError } from '../lib/errors.mjs';
import { committedLine, resultOf } from '../lib/results.mjs';

export async function evaluate({ contract }, options, emit) {
    emit({ ok: true, ...resultOf(await contract.evaluate(options.function, proposalOptions(options))) });
}

export async function submit({ contract }, options, emit) {
    emit({ ok: true, ...resultOf(await contract.submit(options.function, proposalOptions(options))) });
}

export async function submitAsync({ contract }, options, emit) {
    const commit = await contract.submitAsync(options.function, proposalOptions(options));
    emit({ step: 'submitted', ok: true, txId: commit.getTransactionId(), ...resultOf(commit.getResult()) });
    emit(committedLine(await commit.getStatus()));
}

export async function endorseOnly({ contract }, options, emit) {
    const transaction = await contract.newProposal(options.function, proposalOptions(options)).endorse();
    emit({ ok: true, txId: transaction.getTransactionId(), ...resultOf(transaction.getResult()) });
}

/** Sends one endorsed transaction twice. The ledger takes the first; what becomes of the second is the answer. */
export async function submitTwice({ contract }, options, emit) {
    const transaction = await contract.newProposal(options.function, proposalOptions(options)).endorse();
    emit(committedLine(await (await transaction.submit()).getStatus()));
    try {
        emit({ ...committedLine(await (await transaction.submit()).getStatus()), second: true });
    } catch (error) {
        emit({ ok: false, second: true, error: describeError(error) });
    }
}

/** Both read the same state, so that only the first to be ordered can be valid. */
export async function conflict({ contract }, options, emit) {
    const endorse = (args) => contract.newProposal(options.function, proposalOptions(options, args)).endorse();
    const first = await endorse(options.args);
    const second = await endorse(options.secondArgs ?? options.args);
    const firstCommit = await first.submit();
    const secondCommit = await second.submit();
    emit(committedLine(await firstCommit.getStatus()));
    emit(committedLine(await secondCommit.getStatus()));
}
