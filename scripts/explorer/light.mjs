// The same chain without believing a node: smoldot follows finality from a checkpoint, and checks every answer's proof.

import { must, until } from './calls.mjs';

// The node's own chain spec with its newest finalised block as the place to begin, and its own address as the one to ask.
async function checkpoint(provider) {
	const rpc = (method, ...params) => provider.send(method, params);
	const spec = await rpc('sync_state_genSyncSpec', true);
	const { stateRoot } = await rpc('chain_getHeader', await rpc('chain_getBlockHash', 0));
	// Neither the state nor the runtime of the first block is needed: all of the file is a few KiB.
	return { ...spec, genesis: { stateRootHash: stateRoot }, bootNodes: await rpc('system_localListenAddresses') };
}

export async function light(ask, { api, keyring, unit, ferdie }, note) {
	const provider = api._rpcCore.provider;
	const [{ createClient }, { start }, { getSmProvider }, { getPolkadotSigner }] = await Promise.all([
		import('polkadot-api'),
		import('polkadot-api/smoldot'),
		import('polkadot-api/sm-provider'),
		import('polkadot-api/signer'),
	]);
	const smoldot = start({ maxLogLevel: 2, logCallback: (level, target, message) => level < 2 && note(`smoldot: ${target}: ${message}`) });
	let client;
	try {
		// A checkpoint needs two changes of validators before it, even if they changed nothing.
		const chain = await ask('sync_state_genSyncSpec', () => until('a checkpoint', async () => {
			const spec = await checkpoint(provider);
			return smoldot.addChain({ chainSpec: JSON.stringify(spec) }).catch((error) => must(/GenesisBlockCheckpoint/.test(error.message), error.message));
		}, 80));
		client = createClient(getSmProvider(() => chain));
		const begun = Number((await api.rpc.chain.getHeader(await api.rpc.chain.getFinalizedHead())).number);
		const final = () => client.getFinalizedBlock();
		const first = await ask('a finalised block, by the votes for it', final, async ({ number, hash }) =>
			(await api.rpc.chain.getBlockHash(number)).toHex() === hash);
		await ask('finality goes on after the checkpoint', () => until('a later block', async () => {
			const { number } = await final();
			return number > Math.max(begun, first.number) + 2;
		}));
		const light = client.getUnsafeApi();
		await ask('query.System.Account, with its proof', () => light.query.System.Account.getValue(ferdie.address), ({ data }) => data.free > 0n);
		await ask('query.ValidatorElection.ActiveSet, with its proof', () => light.query.ValidatorElection.ActiveSet.getValue(), (set) => set.length > 0);
		await ask('apis.TowpathApi.routers, executed here', () => light.apis.TowpathApi.routers(undefined, 256), (all) => all.length > 0);
		await ask('apis.TowpathApi.channel of a channel that is not', () => light.apis.TowpathApi.channel(1n << 60n), (found) => found === undefined);
		const friend = keyring.addFromSeed(crypto.getRandomValues(new Uint8Array(32)));
		const transfer = light.tx.Balances.transfer_keep_alive({ dest: { type: 'Id', value: friend.address }, value: 3n * unit });
		const signer = getPolkadotSigner(ferdie.publicKey, 'Sr25519', (message) => ferdie.sign(message));
		await ask('tx.Balances.transfer_keep_alive, signed, sent and final', () => transfer.signAndSubmit(signer), ({ ok }) => ok === true);
		await ask('the transfer arrived, to the unit', async () => {
			const { data } = await light.query.System.Account.getValue(friend.address);
			must(data.free === 3n * unit, `it has ${data.free}`);
		});
	} finally {
		client?.destroy();
		await smoldot.terminate().catch(() => {});
	}
}
