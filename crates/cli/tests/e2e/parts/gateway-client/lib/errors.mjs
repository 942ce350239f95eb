// Errors of the SDK as plain objects.

import * as grpc from '@grpc/grpc-js';
import { CommitError, GatewayError, StatusCode } from '@hyperledger/fabric-gateway';

const STATUS_NAMES = Object.fromEntries(Object.entries(StatusCode).map(([name, code]) => [code, name]));

/** The name of a validation code. */
export function statusName(code) {
    return STATUS_NAMES[code] ?? `UNKNOWN_${code}`;
}

/** What can be known of an error. */
export function describeError(error) {
    const described = { type: error.constructor.name, message: error.message };
    if (error.transactionId !== undefined) {
        described.txId = error.transactionId;
    }
    if (error instanceof GatewayError) {
        described.code = error.code;
        described.codeName = grpc.status[error.code];
        described.grpcMessage = error.cause.details;
        described.details = error.details.map(({ address, mspId, message }) => ({ address, mspId, message }));
    } else if (error instanceof CommitError) {
        described.code = error.code;
        described.status = statusName(error.code);
    } else if (typeof error.code === 'number') {
        described.code = error.code;
        described.codeName = grpc.status[error.code];
        described.grpcMessage = error.details;
    }
    return described;
}
