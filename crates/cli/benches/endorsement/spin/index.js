'use strict';

// A chaincode that only computes: `Spin N` hashes N times.

const { createHash } = require('crypto');
const { Shim } = require('fabric-shim');

Shim.start({
    async Init() {
        return Shim.success(Buffer.alloc(0));
    },

    async Invoke(stub) {
        const [times] = stub.getFunctionAndParameters().params;
        let hash = Buffer.alloc(32);
        for (let count = 0; count < Number(times); count++) {
            hash = createHash('sha256').update(hash).digest();
        }
        return Shim.success(hash);
    },
});
