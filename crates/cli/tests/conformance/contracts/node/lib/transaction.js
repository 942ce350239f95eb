'use strict';

const text = (bytes) => Buffer.from(bytes).toString();

async function call(stub, name, channel, ...args) {
    const response = await stub.invokeChaincode(name, args, channel);
    const { status, message, payload } = response;
    return { status, message: message ?? '', payload: payload ? text(payload) : '' };
}

/** An error that the contract does not catch. */
class Thrown extends Error {
    thrown = true;
}

module.exports = {
    /** Answers what the stub knows of the transaction. */
    async Describe(stub, ...parameters) {
        const creator = stub.getCreator();
        return {
            txId: stub.getTxID(),
            channel: stub.getChannelID(),
            parameters,
            mspId: creator.mspid,
            certificate: text(creator.idBytes ?? creator.id_bytes),
            binding: stub.getBinding(),
            localMspId: stub.getMSPID ? stub.getMSPID() : process.env.CORE_PEER_LOCALMSPID,
        };
    },

    async Transient(stub) {
        const texts = {};
        for (const [name, value] of stub.getTransient()) {
            texts[name] = text(value);
        }
        return texts;
    },

    async EventThenErr(stub, name, payload) {
        stub.setEvent(name, Buffer.from(payload));
        throw new Error('failed after setting an event');
    },

    async PutWithEvent(stub, key, value, name, payload) {
        await stub.putState(key, Buffer.from(value));
        stub.setEvent(name, Buffer.from(payload));
    },

    Call: call,

    /** Writes before it calls, in one transaction. */
    async PutThenCall(stub, key, value, ...rest) {
        await stub.putState(key, Buffer.from(value));
        return call(stub, ...rest);
    },

    async Fail(stub, message) {
        throw new Error(message);
    },

    /** Answers just that, with the payload "payload of <status>". */
    async Status(stub, status, message) {
        return { isResponse: true, status: Number(status), message, payload: Buffer.from(`payload of ${status}`) };
    },

    async Panic() {
        throw new Thrown('told to panic');
    },

    async Sleep(stub, milliseconds) {
        await new Promise((resolve) => setTimeout(resolve, Number(milliseconds)));
    },
};
