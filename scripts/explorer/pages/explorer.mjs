// Explorer: the summary, the lists of blocks and events, one block, forks, the node.

import { first } from '../chain.mjs';

export async function explorer(ask, { api }) {
	const { chain, session, tx } = api.derive;
	const finalized = await ask('rpc.chain.getFinalizedHead', () => api.rpc.chain.getFinalizedHead());
	const header = await ask('rpc.chain.getHeader', () => api.rpc.chain.getHeader(finalized), ({ number }) => number.toNumber() > 0);
	const validators = (await api.query.session.validators()).map(String);
	const isAuthored = ({ author }) => validators.includes(author?.toString());

	await ask.each([
		['derive.chain.bestNumber', () => chain.bestNumber(), (number) => number.toNumber() > 0],
		['derive.chain.bestNumberFinalized', () => chain.bestNumberFinalized(), (number) => number.toNumber() > 0],
		['derive.chain.bestNumberLag', () => chain.bestNumberLag(), (lag) => lag.toNumber() < 30],
		['derive.chain.subscribeNewHeads', () => first((next) => chain.subscribeNewHeads(next)), isAuthored],
		['derive.chain.subscribeNewBlocks', () => first((next) => chain.subscribeNewBlocks(next)), isAuthored],
		['derive.chain.subscribeFinalizedHeads', () => first((next) => chain.subscribeFinalizedHeads(next)), ({ number }) => number.toNumber() > 0],
		['derive.chain.subscribeFinalizedBlocks', () => first((next) => chain.subscribeFinalizedBlocks(next)), isAuthored],
		['rpc.chain.subscribeNewHeads', () => first((next) => api.rpc.chain.subscribeNewHeads(next))],
		['rpc.chain.subscribeAllHeads', () => first((next) => api.rpc.chain.subscribeAllHeads(next))],
		['rpc.chain.subscribeFinalizedHeads', () => first((next) => api.rpc.chain.subscribeFinalizedHeads(next))],
		['query.timestamp.now', () => api.query.timestamp.now(), (now) => Math.abs(now.toNumber() - Date.now()) < 60_000],
		['query.balances.totalIssuance', () => api.query.balances.totalIssuance(), (all) => !all.isZero()],
		['query.balances.inactiveIssuance', () => api.query.balances.inactiveIssuance()],
		['query.system.events (subscribed)', () => first((next) => api.query.system.events(next)), (events) => events.length > 0],
		['query.system.blockWeight', () => api.query.system.blockWeight()],
		['query.system.number', () => api.query.system.number(), (number) => !number.isZero()],
		['consts.system.blockWeights.maxBlock', () => api.consts.system.blockWeights.maxBlock.refTime.toBigInt(), (weight) => weight > 0n],
		['consts.babe.expectedBlockTime', () => api.consts.babe.expectedBlockTime, (time) => !time.isZero()],
		['consts.timestamp.minimumPeriod', () => api.consts.timestamp.minimumPeriod, (time) => !time.isZero()],
		['derive.session.progress', () => session.progress(), ({ isEpoch, sessionLength, sessionProgress }) => isEpoch && sessionProgress.lt(sessionLength)],
	]);

	// One block, by number and by hash, as the page shows it.
	const hash = await ask('rpc.chain.getBlockHash', () => api.rpc.chain.getBlockHash(header.number.unwrap()), (found) => found.eq(finalized));
	const at = await ask('api.at', () => api.at(hash));
	const { block } = await ask('rpc.chain.getBlock', () => api.rpc.chain.getBlock(hash), (found) => found.block.extrinsics.length > 0);
	await ask.each([
		['api.at: runtimeVersion', () => at.runtimeVersion, ({ specName }) => specName.toString() === 'towpath'],
		['api.at: query.system.events', () => at.query.system.events(), (events) => events.length > 0],
		['derive.chain.getBlock', () => chain.getBlock(hash), (found) => isAuthored(found) && found.extrinsics.length === block.extrinsics.length],
		['derive.chain.getBlockByNumber', () => chain.getBlockByNumber(header.number.unwrap()), isAuthored],
		['derive.chain.getHeader', () => chain.getHeader(hash), isAuthored],
		['derive.tx.events', () => tx.events(hash), ({ events }) => events.length > 0],
		['derive.tx.extrinsicInfo', () => tx.extrinsicInfo(hash, block.extrinsics[0].hash.toHex()), ({ success }) => success],
		['rpc.state.getRuntimeVersion', () => api.rpc.state.getRuntimeVersion(hash), ({ specVersion }) => specVersion.eq(api.runtimeVersion.specVersion)],
		['rpc.state.subscribeRuntimeVersion', () => first((next) => api.rpc.state.subscribeRuntimeVersion(next))],
	]);
}

export async function nodeInfo(ask, { api }) {
	const { system } = api.rpc;
	await ask.each([
		['rpc.system.chain', () => system.chain(), (name) => name.startsWith('Towpath')],
		['rpc.system.chainType', () => system.chainType()],
		['rpc.system.name', () => system.name(), (name) => name.length > 0],
		['rpc.system.version', () => system.version(), (version) => version.length > 0],
		['rpc.system.properties', () => system.properties(), ({ tokenSymbol, tokenDecimals, ss58Format }) =>
			tokenSymbol.unwrap()[0].eq('TOW') && tokenDecimals.unwrap()[0].eq(12) && ss58Format.unwrap().eq(42)],
		['rpc.system.health', () => system.health(), ({ isSyncing, peers }) => !isSyncing.isTrue && peers.toNumber() > 0],
		['rpc.system.peers', () => system.peers(), (peers) => peers.length > 0],
		['rpc.system.syncState', () => system.syncState(), ({ currentBlock }) => !currentBlock.isZero()],
		['rpc.system.nodeRoles', () => system.nodeRoles(), (roles) => roles.length === 1],
		['rpc.system.localPeerId', () => system.localPeerId(), (id) => id.startsWith('12D3')],
		['rpc.system.localListenAddresses', () => system.localListenAddresses(), (addresses) => addresses.length > 0],
		['rpc.author.pendingExtrinsics', () => api.rpc.author.pendingExtrinsics()],
		['rpc.rpc.methods', () => api.rpc.rpc.methods(), ({ methods }) => methods.length > 50],
	]);
}

// Every block so far, as somebody sees it who pages through them: whatever this run caused must be decodable.
export async function blocks(ask, { api }) {
	const last = (await api.rpc.chain.getHeader(await api.rpc.chain.getFinalizedHead())).number.toNumber();
	const from = Math.max(1, last - 500);
	let [extrinsics, events] = [0, 0];
	const kinds = new Set();
	const read = async (height) => {
		const hash = await api.rpc.chain.getBlockHash(height);
		const [{ block }, at] = await Promise.all([api.rpc.chain.getBlock(hash), api.at(hash)]);
		for (const extrinsic of block.extrinsics) {
			JSON.stringify(extrinsic.toHuman());
			extrinsics += 1;
		}
		for (const { event } of await at.query.system.events()) {
			JSON.stringify(event.toHuman());
			kinds.add(`${event.section}.${event.method}`);
			events += 1;
		}
	};
	await ask(`blocks ${from} to ${last}: rpc.chain.getBlock and query.system.events of each`, async () => {
		for (let height = from; height <= last; height += 20) {
			await Promise.all(Array.from({ length: Math.min(20, last - height + 1) }, (_, index) => read(height + index)));
		}
	}, () => extrinsics > last - from && events > 0);
	return { blocks: last - from + 1, extrinsics, events, kinds: [...kinds].sort() };
}
