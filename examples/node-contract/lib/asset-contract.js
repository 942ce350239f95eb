'use strict';

const { Contract } = require('fabric-contract-api');

/** The asset ledger. */
class AssetContract extends Contract {
    constructor() {
        super('AssetContract');
    }

    /** Creates six assets. */
    async InitLedger(ctx) {
        const assets = [
            { ID: 'asset1', Color: 'blue', Size: 5, Owner: 'Amara', AppraisedValue: 300 },
            { ID: 'asset2', Color: 'red', Size: 5, Owner: 'Bjorn', AppraisedValue: 400 },
            { ID: 'asset3', Color: 'green', Size: 10, Owner: 'Chidi', AppraisedValue: 500 },
            { ID: 'asset4', Color: 'yellow', Size: 10, Owner: 'Dalia', AppraisedValue: 600 },
            { ID: 'asset5', Color: 'black', Size: 15, Owner: 'Emeka', AppraisedValue: 700 },
            { ID: 'asset6', Color: 'white', Size: 15, Owner: 'Freya', AppraisedValue: 800 },
        ];
        for (const asset of assets) {
            await ctx.stub.putState(asset.ID, toBytes(asset));
        }
    }

    /** Adds an asset. */
    async CreateAsset(ctx, id, color, size, owner, appraisedValue) {
        if (await this.AssetExists(ctx, id)) {
            throw new Error(`the asset ${id} already exists`);
        }
        return putWithEvent(ctx, 'CreateAsset', assetOf(id, color, size, owner, appraisedValue));
    }

    /** Returns an asset. */
    async ReadAsset(ctx, id) {
        const value = await ctx.stub.getState(id);
        if (value.length === 0) {
            throw new Error(`the asset ${id} does not exist`);
        }
        return value.toString();
    }

    /** Replaces an asset. */
    async UpdateAsset(ctx, id, color, size, owner, appraisedValue) {
        await this.ReadAsset(ctx, id);
        return putWithEvent(ctx, 'UpdateAsset', assetOf(id, color, size, owner, appraisedValue));
    }

    /** Removes an asset. */
    async DeleteAsset(ctx, id) {
        await this.ReadAsset(ctx, id);
        await ctx.stub.deleteState(id);
    }

    /** Gives an asset to a new owner and returns the old one. */
    async TransferAsset(ctx, id, newOwner) {
        const asset = JSON.parse(await this.ReadAsset(ctx, id));
        const oldOwner = asset.Owner;
        asset.Owner = newOwner;
        await putWithEvent(ctx, 'TransferAsset', asset);
        return oldOwner;
    }

    /** Says whether there is such an asset. */
    async AssetExists(ctx, id) {
        return (await ctx.stub.getState(id)).length > 0;
    }

    /** Returns all assets by ID. */
    async GetAllAssets(ctx) {
        const assets = [];
        for await (const row of ctx.stub.getStateByRange('', '')) {
            assets.push(JSON.parse(Buffer.from(row.value).toString()));
        }
        return JSON.stringify(assets);
    }

    /** Returns at most pageSize assets from a bookmark on, which is empty for the first page. */
    async GetAssetPage(ctx, pageSize, bookmark) {
        const { iterator, metadata } = await ctx.stub.getStateByRangeWithPagination('', '', Number(pageSize), bookmark);
        const assets = [];
        for (let row = await iterator.next(); !row.done; row = await iterator.next()) {
            assets.push(JSON.parse(Buffer.from(row.value.value).toString()));
        }
        await iterator.close();
        return JSON.stringify({ Assets: assets, Bookmark: metadata?.bookmark ?? '' });
    }

    /** Returns what became of an asset, newest first. */
    async GetAssetHistory(ctx, id) {
        const versions = [];
        for await (const row of ctx.stub.getHistoryForKey(id)) {
            const seconds = Number(row.timestamp.seconds);
            const version = {
                Deleted: row.isDelete,
                Timestamp: new Date(seconds * 1000 + row.timestamp.nanos / 1e6).toISOString(),
                TxID: row.txId,
            };
            if (!row.isDelete) {
                version.Asset = JSON.parse(Buffer.from(row.value).toString());
            }
            versions.push(version);
        }
        return JSON.stringify(versions);
    }

    /** Returns the caller's MSP and ID. */
    async WhoAmI(ctx) {
        return `${ctx.clientIdentity.getMSPID()} ${ctx.clientIdentity.getID()}`;
    }
}

// Fields in alphabetical order: every peer must write the same bytes.
function assetOf(id, color, size, owner, appraisedValue) {
    return { AppraisedValue: Number(appraisedValue), Color: color, ID: id, Owner: owner, Size: Number(size) };
}

function toBytes({ AppraisedValue, Color, ID, Owner, Size }) {
    return Buffer.from(JSON.stringify({ AppraisedValue, Color, ID, Owner, Size }));
}

async function putWithEvent(ctx, event, asset) {
    const value = toBytes(asset);
    await ctx.stub.putState(asset.ID, value);
    ctx.stub.setEvent(event, value);
    return value.toString();
}

module.exports.AssetContract = AssetContract;
