package org.windlass.client;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.hyperledger.fabric.client.CommitException;
import org.hyperledger.fabric.client.GatewayException;
import org.hyperledger.fabric.client.TransactionException;

/**
 * A client on {@code org.hyperledger.fabric:fabric-gateway}. It makes one tour of what the library can do and prints a
 * line of JSON for each stop.
 */
public final class Main {
    private static final Gson GSON = new Gson();

    private Main() {}

    /** Takes the file of {@code windlass dev --ready-file} and the name of a chaincode. */
    public static void main(final String[] args) throws Exception {
        if (args.length != 2) {
            throw new IllegalArgumentException("usage: Main READY CHAINCODE");
        }
        var ready = GSON.fromJson(Files.readString(Path.of(args[0])), JsonObject.class);
        try (var connection = new Connection(ready)) {
            new Tour(connection, ready.get("channel").getAsString(), args[1]).go();
        }
    }

    /** Prints a line of JSON. */
    static void say(final String step, final Map<String, ?> facts) {
        var line = new LinkedHashMap<String, Object>(facts);
        line.put("step", step);
        System.out.println(GSON.toJson(line));
    }

    /** What can be known of an error. */
    static Map<String, Object> describe(final Exception error) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("type", error.getClass().getSimpleName().replace("Exception", "Error"));
        if (error instanceof TransactionException) {
            facts.put("txId", ((TransactionException) error).getTransactionId());
        }
        if (error instanceof CommitException) {
            var commit = (CommitException) error;
            facts.put("txId", commit.getTransactionId());
            facts.put("status", commit.getCode().name());
        }
        if (error instanceof GatewayException) {
            var gateway = (GatewayException) error;
            facts.put("code", gateway.getStatus().getCode().name());
            facts.put("message", gateway.getStatus().getDescription());
            facts.put("details", gateway.getDetails().stream()
                    .map(detail -> Map.of(
                            "address", detail.getAddress(), "mspId", detail.getMspId(), "message", detail.getMessage()))
                    .collect(Collectors.toList()));
        }
        return facts;
    }
}
