// From the ready file to a gateway.

import { createHash, createPrivateKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { connect, signers } from '@hyperledger/fabric-gateway';

// The order of P-256's base point.
const ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

/** Opens a connection as `options` ask; see README.md. */
export function open(ready, options) {
    const userName = options.user ?? 'User1';
    const user = ready.users[userName];
    if (!user) {
        throw new Error(`the ready file has no user ${userName}`);
    }
    const identity = { mspId: options.mspId ?? ready.mspId, credentials: readFileSync(user.certificate) };
    const privateKey = createPrivateKey(readFileSync(user.key));
    const deadline = () => ({ deadline: Date.now() + (options.timeoutMs ?? 60_000) });
    const client = new grpc.Client(
        ready.peer.endpoint,
        grpc.credentials.createSsl(readFileSync(ready.peer.tlsRootCert)),
        { 'grpc.max_receive_message_length': 100 << 20, 'grpc.max_send_message_length': 100 << 20 },
    );
    const gateway = connect({
        client,
        identity,
        signer: signerFor(options.signer ?? 'good', privateKey),
        evaluateOptions: deadline,
        endorseOptions: deadline,
        submitOptions: deadline,
        commitStatusOptions: deadline,
    });
    const channel = options.channel ?? ready.channel;
    const chaincode = options.chaincode ?? ready.chaincodes?.[0]?.name;
    const network = gateway.getNetwork(channel);
    return {
        gateway,
        network,
        channel,
        chaincode,
        contract: chaincode === undefined ? undefined : network.getContract(chaincode),
        sign: signers.newPrivateKeySigner(privateKey),
        close() {
            gateway.close();
            client.close();
        },
    };
}

function signerFor(kind, privateKey) {
    const good = signers.newPrivateKeySigner(privateKey);
    switch (kind) {
        case 'good':
            return good;
        case 'none':
            return undefined;
        case 'wrong':
            return () => good(createHash('sha256').update(randomBytes(32)).digest());
        case 'high-s':
            return async (digest) => highS(await good(digest));
        default:
            throw new Error(`no signer ${kind}: there are good, wrong, high-s, none`);
    }
}

/** The other signature that ECDSA takes for the same message, and Fabric does not. */
function highS(signature) {
    const bytes = Buffer.from(signature);
    const rLength = bytes[3];
    const r = bytes.subarray(4, 4 + rLength);
    const s = bytes.subarray(4 + rLength + 2);
    const high = (ORDER - BigInt(`0x${s.toString('hex')}`)).toString(16).padStart(64, '0');
    let highBytes = Buffer.from(high, 'hex');
    if (highBytes[0] & 0x80) {
        highBytes = Buffer.concat([Buffer.of(0), highBytes]);
    }
    const body = Buffer.concat([Buffer.of(2, r.length), r, Buffer.of(2, highBytes.length), highBytes]);
    return Buffer.concat([Buffer.of(0x30, body.length), body]);
}

/** Proposal options of the SDK from those of a scenario. */
export function proposalOptions(options, args = options.args) {
    return {
        arguments: args ?? [],
        ...(options.transient && { transientData: options.transient }),
        ...(options.organizations && { endorsingOrganizations: options.organizations }),
    };
}
