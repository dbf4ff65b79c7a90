// What Towpath adds: the routers' registry, payment channels, claims, elections, and the runtime API that serves them. Real
// transactions where they cost little, made-up bytes of the metadata's making for every other event and error.

import { must } from '../calls.mjs';
import { OURS } from '../chain.mjs';
import { Samples, fromPolkadotJs, vectors } from '../samples.mjs';

const POSSESSION = 'towpath/node-possession/v1';
const RECEIPT = 'towpath/receipt/v1';
const PALLETS = OURS.map((name) => name[0].toUpperCase() + name.slice(1));
// Alice's router in the local preset.
const ALICE_ROUTER = '0x9ad5e5c9cb264bf58950a282248dffc0638b51e2270c175255a560296511acae';

const joined = (...parts) => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

function littleEndian(value, width) {
	return Uint8Array.from({ length: width }, (_, index) => Number((BigInt(value) >> BigInt(8 * index)) & 0xffn));
}

export function makeVectors(api) {
	const { lookup, metadata } = api.registry;
	const pallets = metadata.pallets.filter(({ name }) => PALLETS.includes(name.toString())).map(({ name, index, events, errors }) => ({
		pallet: name.toString(),
		index: index.toNumber(),
		event: events.unwrap().type.toNumber(),
		error: errors.unwrap().type.toNumber(),
	}));
	return vectors(new Samples(fromPolkadotJs(lookup)), pallets);
}

export async function decoding(ask, { api, vectors: { events, errors } }) {
	await ask.each(events.map(({ pallet, name, docs, data }) => [`the event ${pallet}.${name}`, () => api.registry.createType('Event', Uint8Array.from(Buffer.from(data.slice(2), 'hex'))), (event) => {
		must(event.method === name && event.section === pallet[0].toLowerCase() + pallet.slice(1), `decoded as ${event.section}.${event.method}`);
		must(event.toHex() === data, `${data} became ${event.toHex()}`);
		must(event.data.names?.length === event.data.length || event.data.length === 0, 'its fields have no names');
		must(docs.length > 0, 'it has no documentation');
		event.toHuman();
	}]));
	await ask.each(errors.map(({ pallet, index, name, docs, error }) => [`the error ${pallet}.${name}`, () => api.registry.findMetaError({ index: api.registry.createType('u8', index), error: api.registry.createType('[u8;4]', error) }), (found) => {
		must(found.name === name && found.section === pallet[0].toLowerCase() + pallet.slice(1), `decoded as ${found.section}.${found.name}`);
		must(found.docs.join(' ').trim() === docs && docs.length > 0, 'it has no documentation');
	}]));
	const known = OURS.flatMap((section) => Object.keys(api.errors[section]));
	await ask('api.errors and api.events have all of ours', () => [known.length, OURS.flatMap((section) => Object.keys(api.events[section])).length], ([errorCount, eventCount]) =>
		errorCount === errors.length && eventCount === events.length);
}

// An error of ours is seen by its name, with words for the user.
const named = (section, name) => ({ error }) => {
	must(error?.section === section && error?.name === name, `the error is ${error?.section ?? error}.${error?.name ?? ''}`);
	must(error.docs.length > 0 && error.docs[0].length > 0, 'the error has no words for the user');
};

export async function ours(ask, chain) {
	const { api, eve, keyring, bob, unit } = chain;
	const genesis = api.genesisHash.toU8a();
	const { ed25519PairFromSeed, ed25519Sign } = await import('@polkadot/util-crypto');
	const newKey = () => ed25519PairFromSeed(crypto.getRandomValues(new Uint8Array(32)));
	const router = newKey();
	const proof = (key, operator) => ed25519Sign(joined(POSSESSION, genesis, keyring.decodeAddress(operator.address)), key);
	const name = `router-${Buffer.from(router.publicKey.slice(0, 6)).toString('hex')}`;
	const profile = { name, price: unit / 20n, prefixes: [{ V4: [[10, 1, 0, 0], 16] }], addresses: [{ V4: [[192, 0, 2, 1], 4000] }], location: { latitude: 1043, longitude: 186 } };
	const { nodeIdentity, rewards, bandwidthAttestations, validatorElection } = api.tx;
	const event = (section, method, check = () => true) => (sent) => check(chain.only(sent, section, method));

	// A router's life.
	const register = (signature) => nodeIdentity.register(router.publicKey, signature, profile);
	await ask('tx.nodeIdentity.register with a wrong proof: BadProof', () => chain.submit(eve, register(proof(newKey(), eve))), named('nodeIdentity', 'BadProof'));
	await ask('tx.nodeIdentity.register', () => chain.send(eve, register(proof(router, eve))), event('nodeIdentity', 'Registered', ({ node, operator }) =>
		operator.eq(eve.address) && node.toHex() === `0x${Buffer.from(router.publicKey).toString('hex')}`));
	// Twice at once: however long the registration took to be final, the second one is too early.
	const update = nodeIdentity.update(router.publicKey, profile);
	await ask('tx.nodeIdentity.update too early: TooSoon', () => chain.submit(eve, api.tx.utility.batchAll([update, update])), named('nodeIdentity', 'TooSoon'));
	await ask('query.nodeIdentity.routers', () => api.query.nodeIdentity.routers(router.publicKey), (found) =>
		found.unwrap().profile.name.toUtf8() === name && found.unwrap().profile.prefixes[0].isV4 && found.unwrap().status.isActive);
	await ask('query.nodeIdentity.names', () => api.query.nodeIdentity.names(name), (node) => node.unwrap().eq(router.publicKey));

	// A channel, and claims on it.
	const payer = newKey();
	const open = rewards.open(null, payer.publicKey, 20n * unit, 10n * unit, 4, [router.publicKey]);
	const opened = await ask('tx.rewards.open', () => chain.send(eve, open), event('rewards', 'Opened', ({ deposit }) => deposit.toBigInt() === 20n * unit));
	const channel = chain.only(opened, 'rewards', 'Opened').channel.toBigInt();
	const receipt = (owed, key = payer) => {
		const data = { channel, node: router.publicKey, owed, bytes: 64n << 20n };
		const payload = joined(RECEIPT, genesis, littleEndian(channel, 8), router.publicKey, littleEndian(owed, 16), littleEndian(data.bytes, 8));
		return { receipt: data, signature: ed25519Sign(payload, key) };
	};
	await ask('tx.bandwidthAttestations.claim with a forged receipt: BadSignature', () => chain.submit(bob, bandwidthAttestations.claim(receipt(unit, newKey()))), named('bandwidthAttestations', 'BadSignature'));
	const claimed = await ask('tx.bandwidthAttestations.claim', () => chain.send(eve, bandwidthAttestations.claim(receipt(4n * unit))), event('bandwidthAttestations', 'Claimed', ({ increase }) => increase.toBigInt() === 4n * unit));
	await ask('the claim\'s rewards.Paid, to the unit', () => chain.only(claimed, 'rewards', 'Paid').division, (division) => {
		const { operator, burned, treasury } = Object.fromEntries([...division.entries()].map(([part, amount]) => [part, amount.toBigInt()]));
		must(operator === (36n * unit) / 10n && burned === (2n * unit) / 10n && treasury === (2n * unit) / 10n, JSON.stringify(division.toHuman()));
	});
	await ask('tx.bandwidthAttestations.claimMany with an old receipt: ClaimSkipped', () => chain.send(eve, bandwidthAttestations.claimMany([receipt(unit)])), event('bandwidthAttestations', 'ClaimSkipped', ({ reason }) => reason.isStale));
	await ask('tx.rewards.topUp', () => chain.send(eve, rewards.topUp(channel, unit)), event('rewards', 'ToppedUp'));
	await ask('tx.rewards.close by another: NotPayer', () => chain.submit(bob, rewards.close(channel)), named('rewards', 'NotPayer'));
	await ask('tx.rewards.payout of an era that runs: EraNotOver', async () => chain.submit(bob, rewards.payout(ALICE_ROUTER, (await api.call.towpathApi.currentEra()).toNumber() + 1)), named('rewards', 'EraNotOver'));

	// The runtime API, as agents and explorers use it.
	const { towpathApi } = api.call;
	await ask.each([
		['call.towpathApi.router', () => towpathApi.router(router.publicKey), (view) => view.unwrap().operator.eq(eve.address) && view.unwrap().profile.name.toUtf8() === name],
		['call.towpathApi.routers', () => towpathApi.routers(null, 256), (all) => all.some(({ node }) => node.eq(router.publicKey))],
		['call.towpathApi.routers, after one', () => towpathApi.routers(ALICE_ROUTER, 1), (all) => all.length === 1 && all[0].node.toHex() !== ALICE_ROUTER],
		['call.towpathApi.channel', () => towpathApi.channel(channel), (found) => found.unwrap().payer.eq(eve.address)],
		['call.towpathApi.slots', () => towpathApi.slots(channel), ([slot]) => slot.node.eq(router.publicKey) && slot.paid.toBigInt() === 4n * unit],
		['call.towpathApi.pendingPayouts', () => towpathApi.pendingPayouts(ALICE_ROUTER)],
		['call.towpathApi.currentEra', () => towpathApi.currentEra()],
		['call.towpathApi.claimBlocks', () => towpathApi.claimBlocks(), (blocks) => !blocks.isZero()],
		['query.rewards.allChannels', () => api.query.rewards.allChannels(channel), (found) => found.isSome],
		['query.rewards.slots.entries', () => api.query.rewards.slots.entries(channel), (slots) => slots.length === 1],
		['query.rewards.currentTerms', () => api.query.rewards.currentTerms(), ({ fee }) => fee.toNumber() === 100_000_000],
		['query.validatorElection.candidates.entries', () => api.query.validatorElection.candidates.entries(), (all) => all.length > 0],
	]);

	await ask('tx.rewards.close', () => chain.send(eve, rewards.close(channel)), event('rewards', 'Closing'));
	await ask('tx.rewards.finish too early: WindowOpen', () => chain.submit(bob, rewards.finish(channel)), named('rewards', 'WindowOpen'));
	await ask('tx.validatorElection.raiseBond', () => chain.send(bob, validatorElection.raiseBond(unit)), event('validatorElection', 'BondRaised'));
	await ask('tx.validatorElection.declare without session keys: NoSessionKeys', () => chain.submit(eve, validatorElection.declare(router.publicKey, 1_000n * unit)), named('validatorElection', 'NoSessionKeys'));
	await ask('tx.nodeIdentity.vouch for a node: Vouched', () => chain.send(eve, nodeIdentity.vouch(router.publicKey, newKey().publicKey)), event('nodeIdentity', 'Vouched'));
	await ask('tx.nodeIdentity.leave', () => chain.send(eve, nodeIdentity.leave(router.publicKey)), event('nodeIdentity', 'LeavingUntil'));
	await ask('tx.nodeIdentity.setAdmission without a referendum: BadOrigin', () => chain.submit(bob, nodeIdentity.setAdmission('Open')), ({ error }) => String(error) === 'BadOrigin');
}
