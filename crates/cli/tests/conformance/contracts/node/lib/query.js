'use strict';

/** Reads at most so many rows. */
async function take(iterator, limit) {
    const rows = [];
    while (rows.length < limit) {
        const { value, done } = await iterator.next();
        if (value) {
            rows.push({ key: value.key, value: value.value.toString() });
        }
        if (done) {
            break;
        }
    }
    return rows;
}

async function drain(iterator) {
    const rows = await take(iterator, Infinity);
    await iterator.close();
    return rows;
}

const range = async (stub, start, end) => drain(await stub.getStateByRange(start, end));

async function page({ iterator, metadata }) {
    const rows = await drain(iterator);
    // There is none when there are no rows.
    const { fetchedRecordsCount, fetched_records_count, bookmark } = metadata || {};
    return { rows, fetched: fetchedRecordsCount ?? fetched_records_count ?? 0, bookmark: bookmark ?? '' };
}

const rangePage = async (stub, start, end, size, bookmark) =>
    page(await stub.getStateByRangeWithPagination(start, end, Number(size), bookmark));

/** Whole seconds come as a number or as an object with two halves. */
const seconds = (timestamp) => Number(timestamp.seconds.low ?? timestamp.seconds);

module.exports = {
    Range: range,

    async RangeCount(stub, start, end) {
        return (await range(stub, start, end)).length;
    },

    /** Reads that many rows, then closes the iterator. */
    async RangeFirst(stub, start, end, count) {
        const iterator = await stub.getStateByRange(start, end);
        const rows = await take(iterator, Number(count));
        await iterator.close();
        return rows;
    },

    /** Reads that many rows and leaves the iterator open. */
    async RangeLeftOpen(stub, start, end, count) {
        return take(await stub.getStateByRange(start, end), Number(count));
    },

    RangePage: rangePage,

    /** Reads a page, then writes, which no transaction may. */
    async PageThenPut(stub, start, end, key) {
        await rangePage(stub, start, end, 2, '');
        await stub.putState(key, Buffer.from('written'));
    },

    async PutComposite(stub, value, type, ...attributes) {
        await stub.putState(stub.createCompositeKey(type, attributes), Buffer.from(value));
    },

    async CompositeRange(stub, type, ...attributes) {
        return drain(await stub.getStateByPartialCompositeKey(type, attributes));
    },

    async CompositePage(stub, size, bookmark, type, ...attributes) {
        return page(
            await stub.getStateByPartialCompositeKeyWithPagination(type, attributes, Number(size), bookmark),
        );
    },

    async SplitComposite(stub, type, ...attributes) {
        const split = stub.splitCompositeKey(stub.createCompositeKey(type, attributes));
        return { type: split.objectType, attributes: split.attributes };
    },

    /** Answers the versions of a key, newest first. */
    async History(stub, key) {
        const iterator = await stub.getHistoryForKey(key);
        const versions = [];
        for (;;) {
            const { value, done } = await iterator.next();
            if (value) {
                versions.push({
                    txId: value.txId ?? value.tx_id,
                    value: value.value.toString(),
                    timestamp: new Date(seconds(value.timestamp) * 1000).toISOString(),
                    isDelete: value.isDelete ?? value.is_delete,
                });
            }
            if (done) {
                break;
            }
        }
        await iterator.close();
        return versions;
    },

    async Query(stub, query) {
        return drain(await stub.getQueryResult(query));
    },
};
