// The same essentials with polkadot-api: it reads newer metadata over the newer RPCs, and shares no code with @polkadot/api.

import { must, until } from './calls.mjs';
import { Samples, fromPapi, knownValues } from './samples.mjs';

const SMALL_SPEND = 20;
// Extrinsics have a class of their own, and are decoded from blocks.
const OWN_CLASSES = ['sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic'];

// Only ever decoded: the client forgets the bytes of an error that it has no use for.
const DECODED_ONLY = ['sp_runtime::DispatchError', 'sp_runtime::ModuleError'];

const hex = (bytes) => `0x${Buffer.from(bytes).toString('hex')}`;

export async function connect(url) {
	const [{ createClient }, { getWsProvider }, { WebSocket }] = await Promise.all([import('polkadot-api'), import('polkadot-api/ws'), import('ws')]);
	return createClient(getWsProvider(url, { websocketClass: WebSocket }));
}

export async function metadata(ask, { client, vectors: { events, errors } }) {
	const [{ getDynamicBuilder, getLookupFn }, { decAnyMetadata, unifyMetadata }] = await Promise.all([
		import('@polkadot-api/metadata-builders'),
		import('@polkadot-api/substrate-bindings'),
	]);
	const { hash } = await ask('getFinalizedBlock', () => client.getFinalizedBlock());
	const raw = await ask('getMetadata', () => client.getMetadata(hash));
	const decoded = unifyMetadata(decAnyMetadata(raw));
	await ask(`metadata of version ${decoded.version}`, () => decoded.version, (version) => version >= 15);
	const builder = getDynamicBuilder(getLookupFn(decoded));
	const shapes = fromPapi(decoded.lookup);
	const samples = new Samples(shapes, knownValues({ errors }));
	const roundTrip = (codec, value, path) => {
		const again = hex(codec.enc(codec.dec(value)));
		must(again === hex(value) || (DECODED_ONLY.includes(path) && hex(value).startsWith(again)), `${hex(value)} became ${again}`);
	};

	await ask('all types of the metadata, every variant of each', () => {
		const wrong = [];
		for (const [id, shape] of shapes.entries()) {
			if (!shape || OWN_CLASSES.includes(shape.path)) continue;
			for (const value of samples.all(id)) {
				try {
					roundTrip(builder.buildDefinition(id), value, shape.path);
				} catch (error) {
					wrong.push(`${id} ${shape.path || shape.kind}: ${error.message}`);
				}
			}
		}
		must(wrong.length === 0, wrong.join('\n'));
	});
	await ask.each(events.map(({ pallet, name, data }) => [`the event ${pallet}.${name}`, () => {
		const { codec, location: [palletIndex, variant] } = builder.buildEvent(pallet, name);
		const bytes = Buffer.from(data.slice(2), 'hex');
		must(bytes[0] === palletIndex && bytes[1] === variant, 'it has another index');
		roundTrip(codec, Uint8Array.from(bytes.subarray(2)));
	}]));
	const dispatchError = builder.buildDefinition(shapes.findIndex((shape) => shape?.path === 'sp_runtime::DispatchError'));
	await ask.each(errors.map(({ pallet, index, name, error }) => [`the error ${pallet}.${name}`, () => {
		const { location } = builder.buildError(pallet, name);
		must(location[0] === index && location[1] === Number(`0x${error.slice(2, 4)}`), 'it has another index');
		// As a failed transaction carries it.
		const { type, value } = dispatchError.dec(`0x03${index.toString(16).padStart(2, '0')}${error.slice(2)}`);
		must(type === 'Module' && value.type === pallet && value.value.type === name, `decoded as ${value?.type}.${value?.value?.type}`);
	}]));

	const api = client.getUnsafeApi();
	for (const { name, storage, constants } of decoded.pallets) {
		await ask(`constants of ${name}`, async () => {
			for (const { name: constant } of constants) await api.constants[name][constant]();
		}).catch(() => {});
		for (const { name: item, type } of storage?.items ?? []) {
			const query = api.query[name][item];
			await ask(`query.${name}.${item}`, () => (type.tag === 'map' ? query.getEntries() : query.getValue())).catch(() => {});
		}
	}
}

// Dave, and somebody new whom he gives some money.
export async function wallet(ask, { client, keyring, unit }) {
	const { getPolkadotSigner } = await import('polkadot-api/signer');
	const api = client.getUnsafeApi();
	const signerOf = (pair) => getPolkadotSigner(pair.publicKey, 'Sr25519', (message) => pair.sign(message));
	const stranger = () => keyring.addFromSeed(crypto.getRandomValues(new Uint8Array(32)));
	const [dave, friend, builder] = [keyring.addFromUri('//Dave'), stranger(), stranger()];
	const submit = (pair, transaction) => transaction.signAndSubmit(signerOf(pair));
	const send = async (pair, transaction) => {
		const sent = await submit(pair, transaction);
		must(sent.ok, `dispatch failed: ${JSON.stringify(sent.dispatchError, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`);
		return sent;
	};
	const find = (sent, pallet, event) => sent.events.find(({ type, value }) => type === pallet && value.type === event)?.value.value;
	const account = async (pair) => (await api.query.System.Account.getValue(pair.address)).data;
	const choice = (type, value) => ({ type, value });

	await ask('getChainSpecData', () => client.getChainSpecData(), ({ name, properties }) => name.startsWith('Towpath') && properties.tokenSymbol === 'TOW');
	const amount = 20n * unit;
	const transfer = api.tx.Balances.transfer_keep_alive({ dest: choice('Id', friend.address), value: amount });
	const fees = await ask('tx.Balances.transfer_keep_alive: getEstimatedFees', () => transfer.getEstimatedFees(dave.publicKey), (fee) => fee > 0n);
	const before = await account(dave);
	const transferred = await ask('tx.Balances.transfer_keep_alive, signed and sent', () => send(dave, transfer));
	await ask('the transfer\'s amount and fee, to the unit', async () => {
		const { actual_fee } = find(transferred, 'TransactionPayment', 'TransactionFeePaid');
		must(actual_fee > 0n && actual_fee <= fees, `a fee of ${actual_fee}, expected at most ${fees}`);
		must((await account(friend)).free === amount && (await account(dave)).free === before.free - amount - actual_fee, 'other balances');
	});

	// Governance.
	const spend = api.tx.Treasury.spend({ asset_kind: undefined, amount: 50n * unit, beneficiary: builder.address, valid_from: undefined });
	const proposal = choice('Inline', await ask('tx.Treasury.spend: getEncodedData', () => spend.getEncodedData()));
	const submission = api.tx.Referenda.submit({ proposal_origin: choice('Origins', choice('SmallSpend')), proposal, enactment_moment: choice('After', 0) });
	const { index } = find(await ask('tx.Referenda.submit', () => send(dave, submission)), 'Referenda', 'Submitted');
	// The lowest bits are the conviction, the highest says yes: locked for one period.
	const vote = choice('Standard', { vote: 0b1000_0001, balance: 70_000n * unit });
	const delegation = { class: SMALL_SPEND, to: choice('Id', dave.address), conviction: choice('Locked1x'), balance: 10n * unit };
	await Promise.all([
		ask('tx.ConvictionVoting.vote', () => send(dave, api.tx.ConvictionVoting.vote({ poll_index: index, vote }))),
		ask('tx.ConvictionVoting.delegate', () => send(friend, api.tx.ConvictionVoting.delegate(delegation))),
	]);
	const info = () => api.query.Referenda.ReferendumInfoFor.getValue(index);
	await ask('query.Referenda.ReferendumInfoFor, with the tally', info, ({ type, value }) =>
		type === 'Ongoing' && value.tally.ayes === 70_010n * unit);
	await ask('query.ConvictionVoting.VotingFor', () => api.query.ConvictionVoting.VotingFor.getValue(friend.address, SMALL_SPEND), ({ type, value }) =>
		type === 'Delegating' && value.target === dave.address);
	await ask('tx.Referenda.place_decision_deposit', () => send(dave, api.tx.Referenda.place_decision_deposit({ index })));
	await ask('the referendum is approved', () => until('the approval', async () => {
		const { type } = await info();
		must(type === 'Ongoing' || type === 'Approved', `the referendum is ${type}`);
		return type === 'Approved';
	}));
	// Or the next run against the same network would find it in its tally.
	await ask('tx.ConvictionVoting.undelegate', () => send(friend, api.tx.ConvictionVoting.undelegate({ class: SMALL_SPEND })));
	const spends = () => api.query.Treasury.Spends.getEntries();
	const { keyArgs: [spent] } = await ask('query.Treasury.Spends.getEntries', () => until('the spend', async () =>
		(await spends()).find(({ value }) => value.beneficiary === builder.address)));
	await ask('tx.Treasury.payout', () => send(dave, api.tx.Treasury.payout({ index: spent })), (sent) => Boolean(find(sent, 'Treasury', 'Paid')));
	await ask('the payout arrived, to the unit', () => account(builder), ({ free }) => free === 50n * unit);

	// An error of ours by its name, and our runtime API.
	const [router] = await ask('apis.TowpathApi.routers', () => api.apis.TowpathApi.routers(undefined, 256), (all) => all.length > 0);
	await ask('apis.TowpathApi.router', () => api.apis.TowpathApi.router(router.node), ({ operator }) => operator === router.operator);
	await ask('apis.TowpathApi.current_era', () => api.apis.TowpathApi.current_era(), (era) => Number.isInteger(era));
	await ask('apis.TowpathApi.pending_payouts', () => api.apis.TowpathApi.pending_payouts(router.node), Array.isArray);
	const foreign = api.tx.NodeIdentity.leave({ node: router.node });
	await ask('tx.NodeIdentity.leave of somebody else\'s router: NotOperator', () => submit(friend, foreign), ({ dispatchError }) =>
		dispatchError?.value?.type === 'NodeIdentity' && dispatchError.value.value.type === 'NotOperator');
}
