// Results as lines.

import { statusName } from './errors.mjs';

/** A call's result, as text and as it is. */
export function resultOf(bytes) {
    const buffer = Buffer.from(bytes);
    return { result: buffer.toString('utf8'), resultBase64: buffer.toString('base64') };
}

/** What the commit status says. */
export function committedLine(status) {
    return {
        step: 'committed',
        ok: status.successful,
        txId: status.transactionId,
        code: status.code,
        status: statusName(status.code),
        successful: status.successful,
        blockNumber: Number(status.blockNumber),
    };
}

/**
 * Takes events from an iterable until `count` have come or `waitMs` have passed without all of them; then closes it.
 * Returns whether all came.
 */
export async function takeEvents(events, count, waitMs, handle) {
    let timedOut = false;
    const timer = setTimeout(() => {
        timedOut = true;
        events.close();
    }, waitMs);
    let taken = 0;
    try {
        if (count > 0) {
            for await (const event of events) {
                await handle(event);
                taken += 1;
                if (taken >= count) {
                    break;
                }
            }
        }
    } catch (error) {
        if (!timedOut) {
            throw error;
        }
    } finally {
        clearTimeout(timer);
        events.close();
    }
    return taken >= count;
}
