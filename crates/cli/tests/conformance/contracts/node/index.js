'use strict';

// One function for each thing that the stub can do, as examples/go-shim has them. Results are JSON unless a function
// says otherwise; every error of the stub becomes the response's message, word for word.
//
// The peer launches it, or, with CHAINCODE_SERVER_ADDRESS set, it listens for the peer.

const fs = require('fs');
const { Shim } = require('fabric-shim');

const functions = { ...require('./lib/state'), ...require('./lib/query'), ...require('./lib/transaction') };

class StubTour {
    /** Remembers its arguments under the key "init". With the argument "fail" it fails. */
    async Init(stub) {
        const args = stub.getStringArgs();
        if (args[args.length - 1] === 'fail') {
            return Shim.error('init was told to fail');
        }
        const value = Buffer.from(JSON.stringify(args));
        await stub.putState('init', value);
        return Shim.success(value);
    }

    /** Calls the function that the first argument names. */
    async Invoke(stub) {
        const { fcn, params } = stub.getFunctionAndParameters();
        const called = functions[fcn];
        if (!called) {
            return Shim.error(`no function "${fcn}"`);
        }
        let result;
        try {
            result = await called(stub, ...params);
        } catch (error) {
            if (error.thrown) {
                throw error;
            }
            return Shim.error(error.message);
        }
        if (result === undefined) {
            return Shim.success(Buffer.alloc(0));
        }
        if (Buffer.isBuffer(result)) {
            return Shim.success(result);
        }
        if (result.isResponse) {
            return { status: result.status, message: result.message, payload: result.payload };
        }
        return Shim.success(Buffer.from(JSON.stringify(result)));
    }
}

const address = process.env.CHAINCODE_SERVER_ADDRESS;
if (address) {
    // Version 2.5 hands this on to its gRPC library; 2.2 does not, and stays at 4 MiB.
    const options = { ccid: process.env.CHAINCODE_ID, address, 'grpc.max_receive_message_length': -1 };
    if (process.env.CHAINCODE_TLS_DISABLED === 'false') {
        options.tlsProps = {
            key: fs.readFileSync(process.env.CHAINCODE_TLS_KEY),
            cert: fs.readFileSync(process.env.CHAINCODE_TLS_CERT),
        };
        if (process.env.CHAINCODE_CLIENT_CA_CERT) {
            options.tlsProps.clientCACerts = fs.readFileSync(process.env.CHAINCODE_CLIENT_CA_CERT);
        }
    }
    Shim.server(new StubTour(), options).start();
} else {
    Shim.start(new StubTour());
}
