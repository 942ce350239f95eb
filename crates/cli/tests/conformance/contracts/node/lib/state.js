'use strict';

const { KeyEndorsementPolicy } = require('fabric-shim');

const present = (value) => value && value.length > 0;

const policyOf = (mspIds) => {
    const policy = new KeyEndorsementPolicy();
    policy.addOrgs('PEER', ...mspIds);
    return policy.getPolicy();
};

async function putMany(stub, prefix, count, value) {
    for (let number = 0; number < Number(count); number++) {
        await stub.putState(prefix + String(number).padStart(5, '0'), Buffer.from(value));
    }
}

module.exports = {
    async Noop() {},

    async Put(stub, key, value) {
        await stub.putState(key, Buffer.from(value));
    },

    /** Answers the value as it is; an absent key is an error. */
    async Get(stub, key) {
        const value = await stub.getState(key);
        if (!present(value)) {
            throw new Error(`the key ${key} does not exist`);
        }
        return Buffer.from(value);
    },

    async Delete(stub, key) {
        await stub.deleteState(key);
    },

    /** Answers what the key holds before and after writing it, in one transaction. */
    async ReadAfterWrite(stub, key, value) {
        const before = await stub.getState(key);
        await stub.putState(key, Buffer.from(value));
        const after = await stub.getState(key);
        return { before: before.toString(), after: after.toString() };
    },

    /** Answers the values in order; null where the key is absent. All are asked for at once. */
    async GetMultiple(stub, ...keys) {
        const values = await Promise.all(keys.map((key) => stub.getState(key)));
        return values.map((value) => (present(value) ? value.toString() : null));
    },

    /** Writes <prefix>00000 and on, one request each. */
    PutMany: putMany,

    /** This shim knows no batches. */
    PutBatch: putMany,

    /** Writes, overwrites, deletes and sets a policy: <prefix>kept holds "second", <prefix>gone is deleted. */
    async MixedBatch(stub, prefix) {
        await stub.putState(`${prefix}kept`, Buffer.from('first'));
        await stub.putState(`${prefix}kept`, Buffer.from('second'));
        await stub.putState(`${prefix}gone`, Buffer.from('here'));
        await stub.deleteState(`${prefix}gone`);
        await stub.setStateValidationParameter(`${prefix}kept`, policyOf(['Org1MSP']));
    },

    async PutBig(stub, key, size) {
        await stub.putState(key, Buffer.alloc(Number(size), 'x'));
    },

    async BigAnswer(stub, size) {
        return Buffer.alloc(Number(size), 'x');
    },

    async SetKeyPolicy(stub, key, ...mspIds) {
        await stub.setStateValidationParameter(key, policyOf(mspIds));
    },

    /** Answers the MSP IDs of its policy; nothing if it has none. */
    async GetKeyPolicy(stub, key) {
        const policy = await stub.getStateValidationParameter(key);
        return present(policy) ? new KeyEndorsementPolicy(policy).listOrgs() : undefined;
    },

    async PutWithMetadata(stub, key, value, mspId) {
        await stub.putState(key, Buffer.from(value));
        await stub.setStateValidationParameter(key, policyOf([mspId]));
    },
};
