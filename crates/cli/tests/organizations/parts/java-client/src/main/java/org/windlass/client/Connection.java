package org.windlass.client;

import com.google.gson.JsonObject;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.hyperledger.fabric.client.Gateway;
import org.hyperledger.fabric.client.Hash;
import org.hyperledger.fabric.client.identity.Identities;
import org.hyperledger.fabric.client.identity.Signer;
import org.hyperledger.fabric.client.identity.Signers;
import org.hyperledger.fabric.client.identity.X509Identity;

/** A gateway, and the means to sign beside it. */
final class Connection implements AutoCloseable {
    private final ManagedChannel channel;
    private final Gateway gateway;
    private final Signer signer;

    Connection(final JsonObject ready) throws Exception {
        var peer = ready.getAsJsonObject("peer");
        var tls = TlsChannelCredentials.newBuilder()
                .trustManager(Path.of(peer.get("tlsRootCert").getAsString()).toFile())
                .build();
        channel = Grpc.newChannelBuilder(peer.get("endpoint").getAsString(), tls).build();
        var user = ready.getAsJsonObject("users").getAsJsonObject("User1");
        var certificate = Identities.readX509Certificate(text(user, "certificate"));
        signer = Signers.newPrivateKeySigner(Identities.readPrivateKey(text(user, "key")));
        gateway = Gateway.newInstance()
                .identity(new X509Identity(ready.get("mspId").getAsString(), certificate))
                .signer(signer)
                .hash(Hash.SHA256)
                .connection(channel)
                .evaluateOptions(options -> options.withDeadlineAfter(1, TimeUnit.MINUTES))
                .endorseOptions(options -> options.withDeadlineAfter(1, TimeUnit.MINUTES))
                .submitOptions(options -> options.withDeadlineAfter(1, TimeUnit.MINUTES))
                .commitStatusOptions(options -> options.withDeadlineAfter(1, TimeUnit.MINUTES))
                .connect();
    }

    private static String text(final JsonObject user, final String file) throws Exception {
        return Files.readString(Path.of(user.get(file).getAsString()));
    }

    Gateway gateway() {
        return gateway;
    }

    Signer signer() {
        return signer;
    }

    @Override
    public void close() throws InterruptedException {
        gateway.close();
        channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
}
