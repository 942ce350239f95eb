/** What the ledger holds under an asset's ID. */
export interface Asset {
    AppraisedValue: number;
    Color: string;
    ID: string;
    Owner: string;
    Size: number;
}

export function asset(id: string, color: string, size: number, owner: string, appraisedValue: number): Asset {
    return { AppraisedValue: appraisedValue, Color: color, ID: id, Owner: owner, Size: size };
}

export function fromBytes(bytes: Uint8Array): Asset {
    return JSON.parse(Buffer.from(bytes).toString()) as Asset;
}

/** Fields in alphabetical order: every peer must write the same bytes. */
export function toBytes({ AppraisedValue, Color, ID, Owner, Size }: Asset): Buffer {
    return Buffer.from(JSON.stringify({ AppraisedValue, Color, ID, Owner, Size }));
}
