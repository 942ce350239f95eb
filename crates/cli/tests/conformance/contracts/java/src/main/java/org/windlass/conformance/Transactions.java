package org.windlass.conformance;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.hyperledger.fabric.protos.msp.SerializedIdentity;
import org.hyperledger.fabric.shim.Chaincode.Response;
import org.hyperledger.fabric.shim.ChaincodeStub;

/** What a transaction knows and says: chaincode to chaincode, events, transient data, responses, faults. */
final class Transactions {
    private Transactions() {}

    static void register(final Map<String, StubTour.Function> functions) {
        functions.put("Describe", Transactions::describe);
        functions.put("Transient", (stub, p) -> transientData(stub));
        functions.put("EventThenErr", (stub, p) -> {
            stub.setEvent(p.get(0), p.get(1).getBytes(UTF_8));
            throw new IllegalStateException("failed after setting an event");
        });
        functions.put("PutWithEvent", (stub, p) -> {
            stub.setEvent(p.get(2), p.get(3).getBytes(UTF_8));
            return State.put(stub, p.get(0), p.get(1));
        });
        functions.put("Call", Transactions::call);
        functions.put("PutThenCall", (stub, p) -> {
            State.put(stub, p.get(0), p.get(1));
            return call(stub, p.subList(2, p.size()));
        });
        functions.put("Fail", (stub, p) -> {
            throw new IllegalStateException(p.get(0));
        });
        functions.put("Status", (stub, p) ->
                new Response(Integer.parseInt(p.get(0)), p.get(1), ("payload of " + p.get(0)).getBytes(UTF_8)));
        functions.put("Panic", (stub, p) -> {
            throw new StubTour.Thrown("told to panic");
        });
        functions.put("Sleep", (stub, p) -> {
            Thread.sleep(Long.parseLong(p.get(0)));
            return null;
        });
    }

    /** Answers what the stub knows of the transaction. */
    private static Object describe(final ChaincodeStub stub, final List<String> parameters) throws Exception {
        final SerializedIdentity creator = SerializedIdentity.parseFrom(stub.getCreator());
        final StringBuilder binding = new StringBuilder();
        for (final byte one : stub.getBinding()) {
            binding.append(String.format("%02x", one));
        }
        final Map<String, Object> described = new LinkedHashMap<>();
        described.put("txId", stub.getTxId());
        described.put("channel", stub.getChannelId());
        described.put("parameters", parameters);
        described.put("mspId", creator.getMspid());
        described.put("certificate", creator.getIdBytes().toStringUtf8());
        described.put("binding", binding.toString());
        described.put("localMspId", stub.getMspId());
        return described;
    }

    private static Object transientData(final ChaincodeStub stub) {
        final Map<String, String> texts = new LinkedHashMap<>();
        stub.getTransient().forEach((name, value) -> texts.put(name, new String(value, UTF_8)));
        return texts;
    }

    /** name, channel (empty: this one), arguments. */
    private static Object call(final ChaincodeStub stub, final List<String> p) {
        final List<byte[]> args =
                p.subList(2, p.size()).stream().map(arg -> arg.getBytes(UTF_8)).collect(Collectors.toList());
        final Response response = stub.invokeChaincode(p.get(0), args, p.get(1));
        final Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("status", response.getStatusCode());
        answer.put("message", response.getMessage() == null ? "" : response.getMessage());
        answer.put("payload", response.getPayload() == null ? "" : new String(response.getPayload(), UTF_8));
        return answer;
    }
}
