package org.windlass.conformance;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.hyperledger.fabric.metrics.Metrics;
import org.hyperledger.fabric.shim.ChaincodeBase;
import org.hyperledger.fabric.shim.ChaincodeServerProperties;
import org.hyperledger.fabric.shim.ChaincodeStub;
import org.hyperledger.fabric.shim.NettyChaincodeServer;
import org.hyperledger.fabric.shim.ResponseUtils;
import org.hyperledger.fabric.traces.Traces;

/**
 * One function for each thing that the stub can do, as examples/go-shim has them. Results are JSON unless a function
 * says otherwise. An exception of the stub becomes the response's message; this shim keeps the peer's text to itself.
 *
 * <p>The peer launches it, or, with CHAINCODE_SERVER_ADDRESS set, it listens for the peer.
 */
public final class StubTour extends ChaincodeBase {
    private static final Gson JSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

    private final Map<String, Function> functions = new HashMap<>();

    /** A function takes the call's parameters; its result goes out as JSON, except for bytes, nothing and responses. */
    interface Function {
        Object call(ChaincodeStub stub, List<String> parameters) throws Exception;
    }

    /** An exception that the contract does not catch. */
    static final class Thrown extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Thrown(final String message) {
            super(message);
        }
    }

    StubTour() {
        State.register(functions);
        Queries.register(functions);
        Transactions.register(functions);
    }

    /** Remembers its arguments under the key "init". With the argument "fail" it fails. */
    @Override
    public Response init(final ChaincodeStub stub) {
        final List<String> args = stub.getStringArgs();
        if (!args.isEmpty() && "fail".equals(args.get(args.size() - 1))) {
            return ResponseUtils.newErrorResponse("init was told to fail");
        }
        final byte[] value = JSON.toJson(args).getBytes(UTF_8);
        stub.putState("init", value);
        return ResponseUtils.newSuccessResponse(value);
    }

    /** Calls the function that the first argument names. */
    @Override
    public Response invoke(final ChaincodeStub stub) {
        final List<String> args = new ArrayList<>(stub.getStringArgs());
        final String name = args.isEmpty() ? "" : args.remove(0);
        final Function function = functions.get(name);
        if (function == null) {
            return ResponseUtils.newErrorResponse("no function \"" + name + "\"");
        }
        final Object result;
        try {
            result = function.call(stub, args);
        } catch (Thrown thrown) {
            throw thrown;
        } catch (Exception error) {
            return ResponseUtils.newErrorResponse(String.valueOf(error.getMessage()));
        }
        if (result == null) {
            return ResponseUtils.newSuccessResponse();
        }
        if (result instanceof Response) {
            return (Response) result;
        }
        return ResponseUtils.newSuccessResponse(
                result instanceof byte[] ? (byte[]) result : JSON.toJson(result).getBytes(UTF_8));
    }

    public static void main(final String[] args) throws Exception {
        final String address = System.getenv("CHAINCODE_SERVER_ADDRESS");
        final StubTour chaincode = new StubTour();
        if (address == null || address.isEmpty()) {
            chaincode.start(args);
            return;
        }
        chaincode.processEnvironmentOptions();
        // What start does, and the server takes for granted.
        final Properties config = chaincode.getChaincodeConfig();
        Metrics.initialize(config);
        Traces.initialize(config);
        final int colon = address.lastIndexOf(':');
        final ChaincodeServerProperties properties = new ChaincodeServerProperties();
        properties.setServerAddress(
                new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))));
        if ("false".equals(System.getenv("CHAINCODE_TLS_DISABLED"))) {
            properties.setTlsEnabled(true);
            properties.setKeyFile(System.getenv("CHAINCODE_TLS_KEY"));
            properties.setKeyCertChainFile(System.getenv("CHAINCODE_TLS_CERT"));
            final String authority = System.getenv("CHAINCODE_CLIENT_CA_CERT");
            if (authority != null && !authority.isEmpty()) {
                properties.setTrustCertCollectionFile(authority);
            }
        }
        new NettyChaincodeServer(chaincode, properties).start();
    }
}
