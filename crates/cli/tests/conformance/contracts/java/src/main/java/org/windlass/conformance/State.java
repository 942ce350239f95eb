package org.windlass.conformance;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hyperledger.fabric.shim.ChaincodeStub;
import org.hyperledger.fabric.shim.ext.sbe.StateBasedEndorsement;
import org.hyperledger.fabric.shim.ext.sbe.impl.StateBasedEndorsementFactory;

/** Single keys: values, sizes, policies. */
final class State {
    private State() {}

    static void register(final Map<String, StubTour.Function> functions) {
        functions.put("Noop", (stub, p) -> null);
        functions.put("Put", (stub, p) -> put(stub, p.get(0), p.get(1)));
        functions.put("Get", (stub, p) -> get(stub, p.get(0)));
        functions.put("Delete", (stub, p) -> {
            stub.delState(p.get(0));
            return null;
        });
        functions.put("ReadAfterWrite", (stub, p) -> readAfterWrite(stub, p.get(0), p.get(1)));
        functions.put("GetMultiple", State::getMultiple);
        functions.put("PutMany", State::putMany);
        // This shim knows no batches.
        functions.put("PutBatch", State::putMany);
        functions.put("MixedBatch", (stub, p) -> mixed(stub, p.get(0)));
        functions.put("PutBig", (stub, p) -> {
            stub.putState(p.get(0), big(p.get(1)));
            return null;
        });
        functions.put("BigAnswer", (stub, p) -> big(p.get(0)));
        functions.put("SetKeyPolicy", (stub, p) -> setPolicy(stub, p.get(0), p.subList(1, p.size())));
        functions.put("GetKeyPolicy", (stub, p) -> getPolicy(stub, p.get(0)));
        functions.put("PutWithMetadata", (stub, p) -> {
            put(stub, p.get(0), p.get(1));
            return setPolicy(stub, p.get(0), p.subList(2, 3));
        });
    }

    static Object put(final ChaincodeStub stub, final String key, final String value) {
        stub.putState(key, value.getBytes(UTF_8));
        return null;
    }

    private static boolean isPresent(final byte[] value) {
        return value != null && value.length > 0;
    }

    /** Answers the value as it is; an absent key is an error. */
    private static Object get(final ChaincodeStub stub, final String key) {
        final byte[] value = stub.getState(key);
        if (!isPresent(value)) {
            throw new IllegalArgumentException("the key " + key + " does not exist");
        }
        return value;
    }

    /** Answers what the key holds before and after writing it, in one transaction. */
    private static Object readAfterWrite(final ChaincodeStub stub, final String key, final String value) {
        final Map<String, String> found = new LinkedHashMap<>();
        found.put("before", stub.getStringState(key));
        put(stub, key, value);
        found.put("after", stub.getStringState(key));
        return found;
    }

    /** Answers the values in order; null where the key is absent. This shim reads them one by one. */
    private static Object getMultiple(final ChaincodeStub stub, final List<String> keys) {
        final List<String> values = new ArrayList<>();
        for (final String key : keys) {
            final byte[] value = stub.getState(key);
            values.add(isPresent(value) ? new String(value, UTF_8) : null);
        }
        return values;
    }

    /** prefix, count, value: writes prefix00000 and on, one request each. */
    private static Object putMany(final ChaincodeStub stub, final List<String> p) {
        final int count = Integer.parseInt(p.get(1));
        for (int number = 0; number < count; number++) {
            put(stub, String.format("%s%05d", p.get(0), number), p.get(2));
        }
        return null;
    }

    /** Writes, overwrites, deletes and sets a policy: prefix+kept holds "second", prefix+gone is deleted. */
    private static Object mixed(final ChaincodeStub stub, final String prefix) {
        put(stub, prefix + "kept", "first");
        put(stub, prefix + "kept", "second");
        put(stub, prefix + "gone", "here");
        stub.delState(prefix + "gone");
        return setPolicy(stub, prefix + "kept", List.of("Org1MSP"));
    }

    private static byte[] big(final String size) {
        final byte[] bytes = new byte[Integer.parseInt(size)];
        Arrays.fill(bytes, (byte) 'x');
        return bytes;
    }

    private static Object setPolicy(final ChaincodeStub stub, final String key, final List<String> mspIds) {
        final StateBasedEndorsement policy = StateBasedEndorsementFactory.getInstance().newStateBasedEndorsement(null);
        policy.addOrgs(StateBasedEndorsement.RoleType.RoleTypePeer, mspIds.toArray(new String[0]));
        stub.setStateValidationParameter(key, policy.policy());
        return null;
    }

    /** Answers the MSP IDs of its policy; nothing if it has none. */
    private static Object getPolicy(final ChaincodeStub stub, final String key) {
        final byte[] policy = stub.getStateValidationParameter(key);
        return isPresent(policy)
                ? StateBasedEndorsementFactory.getInstance().newStateBasedEndorsement(policy).listOrgs()
                : null;
    }
}
