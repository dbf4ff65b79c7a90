// What every page of the @polkadot/api client needs: a connection, development accounts, and transactions that are final.

import { until, within } from './calls.mjs';

const FINALITY_SECONDS = 90;

export const OURS = ['nodeIdentity', 'rewards', 'bandwidthAttestations', 'validatorElection'];

// polkadot-js says only in warnings what it does not understand, so each of them fails the contract; that includes unknown
// transaction extensions. RPCs of the newer specification are not its own, and it says so.
export function collectWarnings(note) {
	const warnings = [];
	const is = (words, ...texts) => texts.some((text) => words.join(' ').includes(text));
	console.warn = (...words) => is(words, 'RPC methods not decorated') || warnings.push(words.slice(1).join(' ').trim());
	console.log = console.info = console.debug = (...words) => note(words.join(' '));
	console.error = (...words) => is(words, 'API-WS') || note(words.join(' '));
	return warnings;
}

export async function connect(url, seconds) {
	const { ApiPromise, Keyring, WsProvider } = await import('@polkadot/api');
	const provider = new WsProvider(url, 500);
	try {
		const api = await within(seconds, ApiPromise.create({ provider, throwOnUnknown: true }), `no node at ${url}`);
		return new Chain(api, new Keyring({ type: 'sr25519', ss58Format: api.registry.chainSS58 }));
	} catch (error) {
		await provider.disconnect().catch(() => {});
		throw error;
	}
}

export class Chain {
	// One transaction at a time for each account: two at once could get the same nonce.
	#queues = new Map();

	constructor(api, keyring) {
		this.api = api;
		this.keyring = keyring;
		this.unit = 10n ** BigInt(api.registry.chainDecimals[0]);
		for (const name of ['alice', 'bob', 'charlie', 'dave', 'eve', 'ferdie']) {
			this[name] = keyring.addFromUri(`//${name[0].toUpperCase()}${name.slice(1)}`);
		}
	}

	// Somebody whom the chain has never seen.
	stranger() {
		return this.keyring.addFromSeed(crypto.getRandomValues(new Uint8Array(32)));
	}

	// Signs, sends and waits until final. The block, the transaction's events, and the error by its name if it failed.
	async submit(who, call, options = {}) {
		const before = this.#queues.get(who.address) ?? Promise.resolve();
		const sent = before.catch(() => {}).then(() => this.#submit(who, call, options));
		this.#queues.set(who.address, sent);
		return sent;
	}

	#submit(who, call, options) {
		const { api } = this;
		const sent = new Promise((resolve, reject) => {
			const follow = ({ status, events, dispatchError, txHash }) => {
				if (status.isError) reject(new Error(`the transaction is ${status.type}`));
				if (!status.isFinalized) return;
				const error = dispatchError?.isModule ? api.registry.findMetaError(dispatchError.asModule) : dispatchError?.toString();
				resolve({ block: status.asFinalized.toHex(), events: events.map(({ event }) => event), error, hash: txHash.toHex() });
			};
			call.signAndSend(options.signer ? who.address : who, { nonce: -1, ...options }, follow).catch(reject);
		});
		return within(FINALITY_SECONDS, sent, 'the transaction');
	}

	// The same for what must succeed.
	async send(who, call, options) {
		const sent = await this.submit(who, call, options);
		if (sent.error) throw new Error(`dispatch failed: ${sent.error.section ? `${sent.error.section}.${sent.error.name}` : sent.error}`);
		return sent;
	}

	// Only the fields of the one event of this kind.
	only(sent, section, method) {
		const found = sent.events.filter((event) => event.section === section && event.method === method);
		if (found.length !== 1) throw new Error(`${found.length} events ${section}.${method} instead of one`);
		return found[0].data;
	}

	async account(address) {
		const { free, reserved } = (await this.api.query.system.account(address)).data;
		return { free: free.toBigInt(), held: reserved.toBigInt() };
	}

	async height() {
		return (await this.api.rpc.chain.getHeader()).number.toNumber();
	}

	// Two blocks can have become final when this returns.
	async untilHeight(height) {
		return until(`block ${height}`, async () => (await this.height()) >= height);
	}
}

// The first value that a subscription brings and that counts.
export function first(subscribe, counts = () => true) {
	return new Promise((resolve, reject) => {
		let stop;
		let found;
		const finish = (value) => {
			if (found || !counts(value)) return;
			found = true;
			resolve(value);
			stop?.();
		};
		Promise.resolve(subscribe(finish)).then((unsubscribe) => {
			stop = unsubscribe;
			if (found) stop();
		}, reject);
	});
}
