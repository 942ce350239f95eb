package org.windlass.conformance;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hyperledger.fabric.shim.ChaincodeStub;
import org.hyperledger.fabric.shim.ledger.CompositeKey;
import org.hyperledger.fabric.shim.ledger.KeyModification;
import org.hyperledger.fabric.shim.ledger.KeyValue;
import org.hyperledger.fabric.shim.ledger.QueryResultsIterator;
import org.hyperledger.fabric.shim.ledger.QueryResultsIteratorWithMetadata;

/** Ranges, pages, composite keys, history. */
final class Queries {
    private Queries() {}

    static void register(final Map<String, StubTour.Function> functions) {
        functions.put("Range", (stub, p) -> drain(stub.getStateByRange(p.get(0), p.get(1))));
        functions.put("RangeCount", (stub, p) -> drain(stub.getStateByRange(p.get(0), p.get(1))).size());
        functions.put("RangeFirst", Queries::rangeFirst);
        functions.put("RangeLeftOpen", (stub, p) -> take(stub.getStateByRange(p.get(0), p.get(1)), p.get(2)));
        functions.put("RangePage", (stub, p) -> rangePage(stub, p.get(0), p.get(1), p.get(2), p.get(3)));
        functions.put("PageThenPut", (stub, p) -> {
            rangePage(stub, p.get(0), p.get(1), "2", "");
            return State.put(stub, p.get(2), "written");
        });
        functions.put("PutComposite", (stub, p) ->
                State.put(stub, key(stub, p.subList(1, p.size())).toString(), p.get(0)));
        functions.put("CompositeRange", (stub, p) -> drain(stub.getStateByPartialCompositeKey(key(stub, p))));
        functions.put("CompositePage", (stub, p) -> page(stub.getStateByPartialCompositeKeyWithPagination(
                key(stub, p.subList(2, p.size())), Integer.parseInt(p.get(0)), p.get(1))));
        functions.put("SplitComposite", Queries::split);
        functions.put("History", (stub, p) -> history(stub, p.get(0)));
        functions.put("Query", (stub, p) -> drain(stub.getQueryResult(p.get(0))));
    }

    private static CompositeKey key(final ChaincodeStub stub, final List<String> parts) {
        return stub.createCompositeKey(parts.get(0), parts.subList(1, parts.size()).toArray(new String[0]));
    }

    private static Map<String, Object> row(final KeyValue found) {
        final Map<String, Object> row = new LinkedHashMap<>();
        row.put("key", found.getKey());
        row.put("value", new String(found.getValue(), UTF_8));
        return row;
    }

    private static List<Object> drain(final QueryResultsIterator<KeyValue> found) throws Exception {
        try (QueryResultsIterator<KeyValue> iterator = found) {
            final List<Object> rows = new ArrayList<>();
            iterator.forEach(one -> rows.add(row(one)));
            return rows;
        }
    }

    /** Reads at most so many rows. */
    private static List<Object> take(final QueryResultsIterator<KeyValue> found, final String limit) {
        final List<Object> rows = new ArrayList<>();
        final Iterator<KeyValue> iterator = found.iterator();
        while (rows.size() < Integer.parseInt(limit) && iterator.hasNext()) {
            rows.add(row(iterator.next()));
        }
        return rows;
    }

    /** start, end, count: reads that many rows, then closes the iterator. */
    private static Object rangeFirst(final ChaincodeStub stub, final List<String> p) throws Exception {
        try (QueryResultsIterator<KeyValue> found = stub.getStateByRange(p.get(0), p.get(1))) {
            return take(found, p.get(2));
        }
    }

    private static Object rangePage(
            final ChaincodeStub stub, final String start, final String end, final String size, final String bookmark)
            throws Exception {
        return page(stub.getStateByRangeWithPagination(start, end, Integer.parseInt(size), bookmark));
    }

    private static Object page(final QueryResultsIteratorWithMetadata<KeyValue> found) throws Exception {
        try (QueryResultsIteratorWithMetadata<KeyValue> iterator = found) {
            final List<Object> rows = new ArrayList<>();
            iterator.forEach(one -> rows.add(row(one)));
            final Map<String, Object> page = new LinkedHashMap<>();
            page.put("rows", rows);
            page.put("fetched", iterator.getMetadata().getFetchedRecordsCount());
            page.put("bookmark", iterator.getMetadata().getBookmark());
            return page;
        }
    }

    private static Object split(final ChaincodeStub stub, final List<String> p) {
        final CompositeKey key = stub.splitCompositeKey(key(stub, p).toString());
        final Map<String, Object> split = new LinkedHashMap<>();
        split.put("type", key.getObjectType());
        split.put("attributes", key.getAttributes());
        return split;
    }

    /** Answers the versions of a key, newest first. */
    private static Object history(final ChaincodeStub stub, final String key) throws Exception {
        try (QueryResultsIterator<KeyModification> found = stub.getHistoryForKey(key)) {
            final List<Object> versions = new ArrayList<>();
            for (final KeyModification one : found) {
                final Map<String, Object> version = new LinkedHashMap<>();
                version.put("txId", one.getTxId());
                version.put("value", one.getStringValue());
                version.put("timestamp", one.getTimestamp().toString());
                version.put("isDelete", one.isDeleted());
                versions.add(version);
            }
            return versions;
        }
    }
}
