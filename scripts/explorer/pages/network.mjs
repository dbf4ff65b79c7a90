// Network: who validates, and how far session, epoch and finality are.

export async function network(ask, { api, alice }) {
	const { session: derive } = api.derive;
	const { authorityDiscovery, authorship, babe, grandpa, offences, session, validatorElection } = api.query;
	const validators = await ask('query.session.validators', () => session.validators(), (all) => all.length > 0);
	const many = ({ length }) => length >= validators.length;
	await ask.each([
		['query.session.currentIndex', () => session.currentIndex()],
		['query.session.queuedKeys', () => session.queuedKeys(), many],
		['query.session.nextKeys', () => session.nextKeys(alice.address), (keys) => keys.isSome],
		['query.session.nextKeys.multi', () => session.nextKeys.multi(validators), (all) => all.every((keys) => keys.isSome)],
		['query.session.keyOwner.entries', () => session.keyOwner.entries(), many],
		['query.session.disabledValidators', () => session.disabledValidators(), (all) => all.length === 0],
		['derive.session.indexes', () => derive.indexes(), ({ currentIndex }) => !currentIndex.isZero()],
		['derive.session.info', () => derive.info(), ({ isEpoch, sessionLength }) => isEpoch && !sessionLength.isZero()],
		['derive.session.eraLength', () => derive.eraLength()],
		['derive.session.eraProgress', () => derive.eraProgress()],
		['derive.session.sessionProgress', () => derive.sessionProgress()],
		['query.babe.authorities', () => babe.authorities(), many],
		['query.babe.nextAuthorities', () => babe.nextAuthorities(), many],
		['query.babe.currentSlot', () => babe.currentSlot(), (slot) => !slot.isZero()],
		['query.babe.genesisSlot', () => babe.genesisSlot(), (slot) => !slot.isZero()],
		['query.babe.epochIndex', () => babe.epochIndex()],
		['query.babe.epochConfig', () => babe.epochConfig(), (config) => config.isSome],
		['consts.babe.epochDuration', () => api.consts.babe.epochDuration, (slots) => !slots.isZero()],
		['query.grandpa.authorities', () => grandpa.authorities(), many],
		['query.grandpa.state', () => grandpa.state(), (state) => state.isLive],
		['query.grandpa.currentSetId', () => grandpa.currentSetId()],
		['query.authorship.author', () => authorship.author()],
		['query.authorityDiscovery.keys', () => authorityDiscovery.keys(), many],
		['query.offences.reports.keys', () => offences.reports.keys(), (reports) => reports.length === 0],
		['query.validatorElection.activeSet', () => validatorElection.activeSet(), many],
		// Empty when none of the epoch's last slots is the node's.
		['rpc.babe.epochAuthorship', () => api.rpc.babe.epochAuthorship()],
		['rpc.grandpa.roundState', () => api.rpc.grandpa.roundState(), ({ best }) => best.totalWeight.toNumber() === validators.length],
		['call.babeApi.configuration', () => api.call.babeApi.configuration(), ({ epochLength }) => epochLength.eq(api.consts.babe.epochDuration)],
		['call.babeApi.currentEpoch', () => api.call.babeApi.currentEpoch()],
		['call.babeApi.nextEpoch', () => api.call.babeApi.nextEpoch()],
		['call.babeApi.currentEpochStart', () => api.call.babeApi.currentEpochStart()],
		['call.grandpaApi.grandpaAuthorities', () => api.call.grandpaApi.grandpaAuthorities(), many],
		['call.grandpaApi.currentSetId', () => api.call.grandpaApi.currentSetId()],
		['call.authorityDiscoveryApi.authorities', () => api.call.authorityDiscoveryApi.authorities(), many],
	]);
	// A pallet of this name that is not the usual one would show a page that breaks, and derive.session with it.
	await ask.absent('query.staking', api.query.staking).catch(() => {});
	await ask.absent('derive.staking', api.derive.staking).catch(() => {});
	await ask.absent('query.imOnline', api.query.imOnline).catch(() => {});
}

// Nobody owns the chain: the page must not appear.
export async function sudo(ask, { api }) {
	const names = api.runtimeMetadata.asLatest.pallets.map(({ name }) => name.toString());
	await ask.each([
		['no tx.sudo', () => api.tx.sudo, (found) => found === undefined],
		['no query.sudo', () => api.query.sudo, (found) => found === undefined],
		['no pallet with sudo in its name', () => names.find((name) => /sudo/i.test(name)), (found) => found === undefined],
		['no council, committee or membership', () => names.find((name) => /council|committee|collective|membership/i.test(name)), (found) => found === undefined],
	]);
}
