package org.example;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.hyperledger.fabric.contract.Context;
import org.hyperledger.fabric.contract.ContractInterface;
import org.hyperledger.fabric.contract.annotation.Contract;
import org.hyperledger.fabric.contract.annotation.Default;
import org.hyperledger.fabric.contract.annotation.Transaction;
import org.hyperledger.fabric.contract.annotation.Transaction.TYPE;
import org.hyperledger.fabric.shim.ChaincodeException;
import org.hyperledger.fabric.shim.ChaincodeStub;
import org.hyperledger.fabric.shim.ledger.KeyModification;
import org.hyperledger.fabric.shim.ledger.KeyValue;
import org.hyperledger.fabric.shim.ledger.QueryResultsIterator;
import org.hyperledger.fabric.shim.ledger.QueryResultsIteratorWithMetadata;

/** The asset ledger. */
@Contract(name = "AssetContract")
@Default
public final class AssetContract implements ContractInterface {
    private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create();

    /** Creates six assets. */
    @Transaction
    public void InitLedger(final Context ctx) {
        put(ctx, new Asset("asset1", "blue", 5, "Amara", 300));
        put(ctx, new Asset("asset2", "red", 5, "Bjorn", 400));
        put(ctx, new Asset("asset3", "green", 10, "Chidi", 500));
        put(ctx, new Asset("asset4", "yellow", 10, "Dalia", 600));
        put(ctx, new Asset("asset5", "black", 15, "Emeka", 700));
        put(ctx, new Asset("asset6", "white", 15, "Freya", 800));
    }

    /** Adds an asset. */
    @Transaction
    public String CreateAsset(
            final Context ctx,
            final String id,
            final String color,
            final int size,
            final String owner,
            final int appraisedValue) {
        if (AssetExists(ctx, id)) {
            throw new ChaincodeException("the asset " + id + " already exists");
        }
        return putWithEvent(ctx, "CreateAsset", new Asset(id, color, size, owner, appraisedValue));
    }

    /** Returns an asset. */
    @Transaction(intent = TYPE.EVALUATE)
    public String ReadAsset(final Context ctx, final String id) {
        final String value = ctx.getStub().getStringState(id);
        if (value.isEmpty()) {
            throw new ChaincodeException("the asset " + id + " does not exist");
        }
        return value;
    }

    /** Replaces an asset. */
    @Transaction
    public String UpdateAsset(
            final Context ctx,
            final String id,
            final String color,
            final int size,
            final String owner,
            final int appraisedValue) {
        ReadAsset(ctx, id);
        return putWithEvent(ctx, "UpdateAsset", new Asset(id, color, size, owner, appraisedValue));
    }

    /** Removes an asset. */
    @Transaction
    public void DeleteAsset(final Context ctx, final String id) {
        ReadAsset(ctx, id);
        ctx.getStub().delState(id);
    }

    /** Gives an asset to a new owner and returns the old one. */
    @Transaction
    public String TransferAsset(final Context ctx, final String id, final String newOwner) {
        final Asset asset = JSON.fromJson(ReadAsset(ctx, id), Asset.class);
        putWithEvent(ctx, "TransferAsset", asset.ownedBy(newOwner));
        return asset.owner();
    }

    /** Says whether there is such an asset. */
    @Transaction(intent = TYPE.EVALUATE)
    public boolean AssetExists(final Context ctx, final String id) {
        return !ctx.getStub().getStringState(id).isEmpty();
    }

    /** Returns all assets by ID. */
    @Transaction(intent = TYPE.EVALUATE)
    public String GetAllAssets(final Context ctx) throws Exception {
        try (QueryResultsIterator<KeyValue> rows = ctx.getStub().getStateByRange("", "")) {
            return JSON.toJson(assets(rows));
        }
    }

    /** Returns at most pageSize assets from a bookmark on, which is empty for the first page. */
    @Transaction(intent = TYPE.EVALUATE)
    public String GetAssetPage(final Context ctx, final int pageSize, final String bookmark) throws Exception {
        final ChaincodeStub stub = ctx.getStub();
        try (QueryResultsIteratorWithMetadata<KeyValue> rows =
                stub.getStateByRangeWithPagination("", "", pageSize, bookmark)) {
            final Map<String, Object> page = new TreeMap<>();
            page.put("Assets", assets(rows));
            page.put("Bookmark", rows.getMetadata().getBookmark());
            return JSON.toJson(page);
        }
    }

    /** Returns what became of an asset, newest first. */
    @Transaction(intent = TYPE.EVALUATE)
    public String GetAssetHistory(final Context ctx, final String id) throws Exception {
        try (QueryResultsIterator<KeyModification> rows = ctx.getStub().getHistoryForKey(id)) {
            final List<Map<String, Object>> versions = new ArrayList<>();
            for (final KeyModification row : rows) {
                final Map<String, Object> version = new TreeMap<>();
                version.put("Deleted", row.isDeleted());
                version.put("Timestamp", row.getTimestamp().toString());
                version.put("TxID", row.getTxId());
                if (!row.isDeleted()) {
                    version.put("Asset", JSON.fromJson(row.getStringValue(), Asset.class));
                }
                versions.add(version);
            }
            return JSON.toJson(versions);
        }
    }

    /** Returns the caller's MSP and ID. */
    @Transaction(intent = TYPE.EVALUATE)
    public String WhoAmI(final Context ctx) {
        return ctx.getClientIdentity().getMSPID() + " " + ctx.getClientIdentity().getId();
    }

    private static List<Asset> assets(final Iterable<KeyValue> rows) {
        final List<Asset> assets = new ArrayList<>();
        rows.forEach(row -> assets.add(JSON.fromJson(row.getStringValue(), Asset.class)));
        return assets;
    }

    private static String put(final Context ctx, final Asset asset) {
        final String json = JSON.toJson(asset);
        ctx.getStub().putStringState(asset.id(), json);
        return json;
    }

    private static String putWithEvent(final Context ctx, final String event, final Asset asset) {
        final String json = put(ctx, asset);
        ctx.getStub().setEvent(event, json.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        return json;
    }
}
