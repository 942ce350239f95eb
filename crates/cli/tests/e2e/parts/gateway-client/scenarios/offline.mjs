// A client whose key the SDK never sees: every request is made unsigned, signed here, and put together again.

import { proposalOptions } from '../lib/connection.mjs';
import { committedLine, resultOf, takeEvents } from '../lib/results.mjs';

export async function offline({ gateway, network, contract, sign }, options, emit) {
    const signed = async (unsigned, assemble) => assemble(unsigned.getBytes(), await sign(unsigned.getDigest()));
    const propose = () =>
        signed(contract.newProposal(options.function, proposalOptions(options)), (bytes, signature) =>
            gateway.newSignedProposal(bytes, signature));

    emit({ step: 'evaluated', ok: true, ...resultOf(await (await propose()).evaluate()) });

    const endorsed = await (await propose()).endorse();
    emit({ step: 'endorsed', ok: true, txId: endorsed.getTransactionId(), ...resultOf(endorsed.getResult()) });

    const transaction = await signed(endorsed, (bytes, signature) => gateway.newSignedTransaction(bytes, signature));
    const submitted = await transaction.submit();
    emit({ step: 'submitted', ok: true, txId: submitted.getTransactionId() });

    const commit = await signed(submitted, (bytes, signature) => gateway.newSignedCommit(bytes, signature));
    const status = await commit.getStatus();
    emit(committedLine(status));

    const unsigned = network.newFilteredBlockEventsRequest({ startBlock: status.blockNumber });
    const request = await signed(unsigned, (bytes, signature) =>
        gateway.newSignedFilteredBlockEventsRequest(bytes, signature));
    const all = await takeEvents(await request.getEvents(), 1, options.waitMs ?? 20_000, (block) => {
        const found = block.getFilteredTransactionsList().some((tx) => tx.getTxid() === status.transactionId);
        emit({ step: 'event', ok: found, number: Number(block.getNumber()) });
    });
    if (!all) {
        emit({ step: 'timeout', ok: false });
    }
}
