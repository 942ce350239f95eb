import { Object as DataType, Property } from 'fabric-contract-api';

/** What the ledger holds under an asset's ID. */
@DataType()
export class Asset {
    @Property('AppraisedValue', 'number')
    AppraisedValue = 0;

    @Property('Color', 'string')
    Color = '';

    @Property('ID', 'string')
    ID = '';

    @Property('Owner', 'string')
    Owner = '';

    @Property('Size', 'number')
    Size = 0;

    static of(id: string, color: string, size: number, owner: string, appraisedValue: number): Asset {
        return { AppraisedValue: appraisedValue, Color: color, ID: id, Owner: owner, Size: size };
    }

    static fromBytes(bytes: Uint8Array): Asset {
        return JSON.parse(Buffer.from(bytes).toString()) as Asset;
    }

    /** Fields in alphabetical order: every peer must write the same bytes. */
    static toBytes({ AppraisedValue, Color, ID, Owner, Size }: Asset): Buffer {
        return Buffer.from(JSON.stringify({ AppraisedValue, Color, ID, Owner, Size }));
    }
}
