import { Context, Contract, Info, Param, Returns, Transaction } from 'fabric-contract-api';
import { type Asset, asset, fromBytes, toBytes } from './asset';

@Info({ title: 'AssetContract', description: 'The asset ledger' })
export class AssetContract extends Contract {
    constructor() {
        super('AssetContract');
    }

    /** Creates six assets. */
    @Transaction()
    async InitLedger(ctx: Context): Promise<void> {
        const assets = [
            asset('asset1', 'blue', 5, 'Amara', 300),
            asset('asset2', 'red', 5, 'Bjorn', 400),
            asset('asset3', 'green', 10, 'Chidi', 500),
            asset('asset4', 'yellow', 10, 'Dalia', 600),
            asset('asset5', 'black', 15, 'Emeka', 700),
            asset('asset6', 'white', 15, 'Freya', 800),
        ];
        for (const one of assets) {
            await ctx.stub.putState(one.ID, toBytes(one));
        }
    }

    /** Adds an asset. */
    @Transaction()
    @Param('id', 'string')
    @Param('color', 'string')
    @Param('size', 'number')
    @Param('owner', 'string')
    @Param('appraisedValue', 'number')
    async CreateAsset(
        ctx: Context,
        id: string,
        color: string,
        size: number,
        owner: string,
        appraisedValue: number,
    ): Promise<void> {
        if (await this.AssetExists(ctx, id)) {
            throw new Error(`the asset ${id} already exists`);
        }
        await putWithEvent(ctx, 'CreateAsset', asset(id, color, size, owner, appraisedValue));
    }

    /** Returns an asset, as JSON. */
    @Transaction(false)
    @Param('id', 'string')
    @Returns('string')
    async ReadAsset(ctx: Context, id: string): Promise<string> {
        return toBytes(await read(ctx, id)).toString();
    }

    /** Replaces an asset. */
    @Transaction()
    @Param('id', 'string')
    @Param('color', 'string')
    @Param('size', 'number')
    @Param('owner', 'string')
    @Param('appraisedValue', 'number')
    async UpdateAsset(
        ctx: Context,
        id: string,
        color: string,
        size: number,
        owner: string,
        appraisedValue: number,
    ): Promise<void> {
        await read(ctx, id);
        await putWithEvent(ctx, 'UpdateAsset', asset(id, color, size, owner, appraisedValue));
    }

    /** Removes an asset. */
    @Transaction()
    @Param('id', 'string')
    async DeleteAsset(ctx: Context, id: string): Promise<void> {
        await read(ctx, id);
        await ctx.stub.deleteState(id);
    }

    /** Gives an asset to a new owner and returns the old one. */
    @Transaction()
    @Param('id', 'string')
    @Param('newOwner', 'string')
    @Returns('string')
    async TransferAsset(ctx: Context, id: string, newOwner: string): Promise<string> {
        const old = await read(ctx, id);
        await putWithEvent(ctx, 'TransferAsset', { ...old, Owner: newOwner });
        return old.Owner;
    }

    /** Says whether there is such an asset. */
    @Transaction(false)
    @Param('id', 'string')
    @Returns('boolean')
    async AssetExists(ctx: Context, id: string): Promise<boolean> {
        return (await ctx.stub.getState(id)).length > 0;
    }

    /** Returns all assets by ID, as JSON. */
    @Transaction(false)
    @Returns('string')
    async GetAllAssets(ctx: Context): Promise<string> {
        const assets: Asset[] = [];
        for await (const row of ctx.stub.getStateByRange('', '')) {
            assets.push(fromBytes(row.value));
        }
        return JSON.stringify(assets);
    }
}

async function read(ctx: Context, id: string): Promise<Asset> {
    const bytes = await ctx.stub.getState(id);
    if (bytes.length === 0) {
        throw new Error(`the asset ${id} does not exist`);
    }
    return fromBytes(bytes);
}

async function putWithEvent(ctx: Context, event: string, changed: Asset): Promise<void> {
    const bytes = toBytes(changed);
    await ctx.stub.putState(changed.ID, bytes);
    ctx.stub.setEvent(event, bytes);
}
