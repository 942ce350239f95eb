package org.windlass.client;

import static org.windlass.client.Main.describe;
import static org.windlass.client.Main.say;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.hyperledger.fabric.client.ChaincodeEvent;
import org.hyperledger.fabric.client.ChaincodeEventsRequest;
import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.Gateway;
import org.hyperledger.fabric.client.InMemoryCheckpointer;
import org.hyperledger.fabric.client.Network;
import org.hyperledger.fabric.client.Status;
import org.hyperledger.fabric.client.identity.Signer;

/** Goes from stop to stop; later stops look at what earlier ones did. */
final class Tour {
    private final Gateway gateway;
    private final Network network;
    private final Contract contract;
    private final Signer signer;
    private Status written;

    Tour(final Connection connection, final String channel, final String chaincode) {
        gateway = connection.gateway();
        signer = connection.signer();
        network = gateway.getNetwork(channel);
        contract = network.getContract(chaincode);
    }

    void go() throws Exception {
        transactions();
        events();
        blocks();
        offline();
        failures();
    }

    /** Submits and evaluates in every manner. */
    private void transactions() throws Exception {
        contract.submitTransaction("Put", "color", "blue");
        say("evaluate", Map.of("result", text(contract.evaluateTransaction("Get", "color"))));

        var transientData = contract.newProposal("Transient").putTransient("secret", "hidden").build();
        say("transient", Map.of("result", text(transientData.evaluate())));

        var submitted = contract.newProposal("PutWithEvent")
                .addArguments("color", "red", "painted", "red")
                .build()
                .endorse()
                .submitAsync();
        written = submitted.getStatus();
        say("submitAsync", Map.of(
                "result", text(submitted.getResult()),
                "sameTxId", submitted.getTransactionId().equals(written.getTransactionId()),
                "status", written.getCode().name(),
                "successful", written.isSuccessful(),
                "blockNumber", written.getBlockNumber()));

        contract.newProposal("PutWithEvent")
                .addArguments("color", "green", "painted", "green")
                .setEndorsingOrganizations("Org2MSP", "Org3MSP")
                .build()
                .endorse()
                .submit();
        say("organizations", Map.of());
    }

    /** Reads the events of both transactions, the second from a checkpoint on, and again from a block on. */
    private void events() {
        var checkpointer = new InMemoryCheckpointer();
        var first = oneEvent(request().startBlock(0).checkpoint(checkpointer).build());
        checkpointer.checkpointChaincodeEvent(first);
        var second = oneEvent(request().startBlock(0).checkpoint(checkpointer).build());
        var replayed = oneEvent(request().startBlock(written.getBlockNumber()).build());
        for (var event : List.of(first, second, replayed)) {
            say("event", Map.of(
                    "name", event.getEventName(),
                    "payload", text(event.getPayload()),
                    "chaincode", event.getChaincodeName(),
                    "written", isWritten(event.getTransactionId(), event.getBlockNumber())));
        }
    }

    private ChaincodeEventsRequest.Builder request() {
        return network.newChaincodeEventsRequest(contract.getChaincodeName());
    }

    private static ChaincodeEvent oneEvent(final ChaincodeEventsRequest request) {
        try (var events = request.getEvents(options -> options.withDeadlineAfter(1, TimeUnit.MINUTES))) {
            return events.next();
        }
    }

    private boolean isWritten(final String transactionId, final long blockNumber) {
        return transactionId.equals(written.getTransactionId()) && blockNumber == written.getBlockNumber();
    }

    /** Reads the block of the first transaction in every form. */
    private void blocks() {
        var number = written.getBlockNumber();
        try (var blocks = network.newBlockEventsRequest().startBlock(number).build().getEvents()) {
            var block = blocks.next();
            say("block", Map.of(
                    "same", block.getHeader().getNumber() == number,
                    "transactions", block.getData().getDataCount()));
        }
        try (var blocks = network.newFilteredBlockEventsRequest().startBlock(number).build().getEvents()) {
            var block = blocks.next();
            var transaction = block.getFilteredTransactions(0);
            var event = transaction.getTransactionActions().getChaincodeActions(0).getChaincodeEvent();
            say("filteredBlock", Map.of(
                    "same", isWritten(transaction.getTxid(), block.getNumber()),
                    "event", event.getEventName(),
                    "payload", event.getPayload().toStringUtf8()));
        }
        // The first block with private data is the one with this organization's approval of the chaincode.
        try (var blocks = network.newBlockAndPrivateDataEventsRequest().startBlock(0).build().getEvents()) {
            var sets = blocks.next().getPrivateDataMapMap();
            while (sets.isEmpty()) {
                sets = blocks.next().getPrivateDataMapMap();
            }
            var namespace = sets.values().iterator().next().getNsPvtRwset(0);
            say("privateData", Map.of(
                    "namespace", namespace.getNamespace(),
                    "collection", namespace.getCollectionPvtRwset(0).getCollectionName()));
        }
    }

    /** Signs everything outside of the library. */
    private void offline() throws Exception {
        var unsigned = contract.newProposal("Put").addArguments("signed", "elsewhere").build();
        var proposal = gateway.newSignedProposal(unsigned.getBytes(), signer.sign(unsigned.getDigest()));
        var endorsed = proposal.endorse();
        var transaction = gateway.newSignedTransaction(endorsed.getBytes(), signer.sign(endorsed.getDigest()));
        var submitted = transaction.submitAsync();
        var commit = gateway.newSignedCommit(submitted.getBytes(), signer.sign(submitted.getDigest()));
        say("offline", Map.of("status", commit.getStatus().getCode().name()));
    }

    /** Tells what each kind of failure looks like. */
    private void failures() {
        failure("evaluateFails", () -> contract.evaluateTransaction("Fail", "not today"));
        failure("endorseFails", () -> contract.submitTransaction("Fail", "not today"));
        failure("commitFails", () -> putEndorsedBy("Org1MSP"));
        failure("nobodyEndorses", () -> putEndorsedBy("Org7MSP"));
        failure("unknownChaincode", () -> network.getContract("nowhere").evaluateTransaction("Get", "k"));
    }

    private byte[] putEndorsedBy(final String organization) throws Exception {
        return contract.newProposal("Put")
                .addArguments("alone", "v")
                .setEndorsingOrganizations(organization)
                .build()
                .endorse()
                .submit();
    }

    private static void failure(final String step, final Callable<byte[]> call) {
        try {
            say(step, Map.of("type", "none", "result", text(call.call())));
        } catch (Exception e) {
            say(step, describe(e));
        }
    }

    private static String text(final byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
