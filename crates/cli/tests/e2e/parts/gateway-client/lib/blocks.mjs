// Blocks taken apart, and hashed as Fabric hashes them.

import { createHash } from 'node:crypto';
import { common } from '@hyperledger/fabric-protos';
import { statusName } from './errors.mjs';

const HEADER_TYPES = Object.fromEntries(Object.entries(common.HeaderType).map(([name, code]) => [code, name]));

/** A block as a line. */
export function blockLine(block) {
    const header = block.getHeader();
    return {
        step: 'block',
        number: Number(header.getNumber()),
        previousHash: Buffer.from(header.getPreviousHash_asU8()).toString('hex'),
        dataHash: Buffer.from(header.getDataHash_asU8()).toString('hex'),
        headerHash: headerHash(header),
        transactions: transactionsOf(block),
    };
}

/** The transactions of a block with their validation codes. */
export function transactionsOf(block) {
    const codes = block.getMetadata()?.getMetadataList_asU8()[common.BlockMetadataIndex.TRANSACTIONS_FILTER] ?? [];
    return block.getData().getDataList_asU8().map((bytes, index) => {
        const payload = common.Payload.deserializeBinary(common.Envelope.deserializeBinary(bytes).getPayload_asU8());
        const header = common.ChannelHeader.deserializeBinary(payload.getHeader().getChannelHeader_asU8());
        return {
            txId: header.getTxId(),
            type: HEADER_TYPES[header.getType()],
            channel: header.getChannelId(),
            code: codes[index],
            status: codes[index] === undefined ? undefined : statusName(codes[index]),
        };
    });
}

/** SHA-256 of a block's data. */
export function dataHash(block) {
    const hash = createHash('sha256');
    for (const bytes of block.getData().getDataList_asU8()) {
        hash.update(bytes);
    }
    return hash.digest('hex');
}

/** SHA-256 of a block header as the ASN.1 sequence (number, previous hash, data hash). */
export function headerHash(header) {
    let number = BigInt(header.getNumber()).toString(16);
    number = number.padStart(number.length + (number.length % 2), '0');
    let integer = Buffer.from(number, 'hex');
    if (integer[0] & 0x80) {
        integer = Buffer.concat([Buffer.of(0), integer]);
    }
    const body = Buffer.concat([
        der(2, integer),
        der(4, Buffer.from(header.getPreviousHash_asU8())),
        der(4, Buffer.from(header.getDataHash_asU8())),
    ]);
    return createHash('sha256').update(der(0x30, body)).digest('hex');
}

// None of the parts reaches 128 bytes, so that one byte holds the length.
function der(tag, content) {
    return Buffer.concat([Buffer.of(tag, content.length), content]);
}
