// node main.mjs READY OPTIONS: one transaction through fabric-network with discovery on, then what was discovered.
//
// OPTIONS is a JSON object: channel, chaincode, function, args, organization (its number, counted from 0), endorsing
// (MSP IDs, where the client names them). The result is one JSON line on stdout.

import { readFileSync } from 'node:fs';
import network from 'fabric-network';

const { Gateway, Wallets } = network;

async function main([readyPath, optionsText]) {
    const ready = JSON.parse(readFileSync(readyPath, 'utf8'));
    const options = JSON.parse(optionsText);
    const organization = ready.organizations[options.organization ?? 0];
    const profile = JSON.parse(readFileSync(organization.connectionProfile, 'utf8'));
    const { certificate, key } = organization.users.User1;
    const wallet = await Wallets.newInMemoryWallet();
    await wallet.put('User1', {
        type: 'X.509',
        version: 1,
        mspId: organization.mspId,
        credentials: { certificate: readFileSync(certificate, 'utf8'), privateKey: readFileSync(key, 'utf8') },
    });
    const gateway = new Gateway();
    try {
        await gateway.connect(profile, { wallet, identity: 'User1', discovery: { enabled: true, asLocalhost: true } });
        const channel = await gateway.getNetwork(options.channel ?? ready.channel);
        const contract = channel.getContract(options.chaincode);
        const transaction = contract.createTransaction(options.function);
        if (options.endorsing) {
            transaction.setEndorsingOrganizations(...options.endorsing);
        }
        const result = await transaction.submit(...options.args);
        const read = await contract.evaluateTransaction('ReadAsset', options.args[0]);
        print({ ok: true, result: result.toString(), read: read.toString(), discovered: await discovered(channel, contract) });
    } catch (error) {
        print({ ok: false, error: error.message, responses: (error.responses ?? []).map((one) => one.response) });
    } finally {
        gateway.disconnect();
    }
}

/** What the SDK's own discovery has found. */
async function discovered(channel, contract) {
    const results = await channel.discoveryService.getDiscoveryResults(true);
    const peers = Object.fromEntries(
        Object.entries(results.peers_by_org ?? {}).map(([org, { peers }]) => [
            org,
            peers.map(({ endpoint, ledgerHeight, chaincodes }) => ({
                endpoint,
                height: Number(ledgerHeight),
                chaincodes: chaincodes.map(({ name, version }) => `${name}:${version}`),
            })),
        ]),
    );
    const { endorsement_plan: plan } = await (await contract.discoveryService).getDiscoveryResults(true);
    return {
        msps: Object.keys(results.msps ?? {}).sort(),
        orderers: results.orderers,
        peers,
        plan: plan && {
            chaincode: plan.chaincode,
            groups: Object.fromEntries(
                Object.entries(plan.groups).map(([name, { peers }]) => [name, peers.map((peer) => peer.name)]),
            ),
            layouts: plan.layouts,
        },
    };
}

function print(value) {
    process.stdout.write(`${JSON.stringify(value)}\n`);
}

main(process.argv.slice(2)).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
});
