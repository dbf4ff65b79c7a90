#!/usr/bin/env node
// An independent witness of the chain's money: reads every finalised block, rebuilds the ledger from events and genesis
// balances alone, and checks it against balances, holds and issuance. The arithmetic is in book.mjs.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Book, authorityIndex, differences, palletAccount } from './book.mjs';

const HELP = `Rebuilds Towpath's ledger from the events of every finalised block and checks that the money adds up.

usage: node ledger.mjs [--url URL] [--channel ID] [--at HEIGHT] [--expect FILE] [--transfer]

  --url URL      a node that keeps all states, i.e. was started with --state-pruning archive --blocks-pruning archive
                 (default ws://127.0.0.1:9944)
  --channel ID   the payment channel to account for; without it the ledger has no payer
  --at HEIGHT    the last block to read (default: the last finalised one)
  --expect FILE  compare with the ledger in this JSON file; its keys "download" and "killed" are ignored
  --transfer     first send one token from //Ferdie to //Eve, as a wallet would, and wait until that is final

The ledger goes to stdout as one line of JSON, everything else to stderr.
exit code: 0 all is well; 1 the ledger, the expected file or the transfer is wrong; 2 wrong usage, or no usable node

examples:
  node ledger.mjs --channel 0 | jq .
  node ledger.mjs --url ws://127.0.0.1:9944 --channel 0 --at 120 --expect demo.json
  node ledger.mjs --transfer`;
const CONNECT_SECONDS = 20;
const FINALITY_SECONDS = 120;
// Blocks asked for at once.
const BATCH = 32;

// Something that the user can mend. Whatever else is thrown is the chain's doing.
class Unusable extends Error {}

const note = (text) => process.stderr.write(`ledger: ${text}\n`);

function readArgs() {
	const string = { type: 'string' };
	const boolean = { type: 'boolean' };
	const options = { url: { ...string, default: 'ws://127.0.0.1:9944' }, channel: string, at: string, expect: string };
	let args;
	try {
		args = parseArgs({ options: { ...options, transfer: boolean, help: { ...boolean, short: 'h' } } }).values;
	} catch (error) {
		throw new Unusable(`${error.message.split(/\. |\n/)[0]}; see --help`);
	}
	for (const [flag, bits] of [['channel', 64n], ['at', 32n]]) {
		if (args[flag] === undefined) continue;
		if (!/^\d{1,20}$/.test(args[flag]) || BigInt(args[flag]) >> bits) {
			throw new Unusable(`--${flag} ${args[flag]}: give a whole number of at most ${bits} bits`);
		}
		args[flag] = BigInt(args[flag]);
	}
	if (!/^wss?:\/\/[^/]/.test(args.url) || !URL.canParse(args.url)) {
		throw new Unusable(`--url ${args.url}: give a WebSocket address like ws://127.0.0.1:9944`);
	}
	try {
		return { ...args, expected: args.expect === undefined ? undefined : JSON.parse(readFileSync(args.expect, 'utf8')) };
	} catch (error) {
		throw new Unusable(`--expect ${args.expect}: ${error.message}; give a file with a ledger in JSON`);
	}
}

// polkadot-js says only in warnings what it does not understand, so each of them is a problem. stdout is for the ledger.
function collectWarnings() {
	const warnings = [];
	const is = (words, ...texts) => texts.some((text) => words.join(' ').includes(text));
	console.warn = (...words) => is(words, 'RPC methods not decorated') || warnings.push(words.slice(1).join(' ').trim());
	console.log = console.info = console.debug = (...words) => note(words.join(' '));
	console.error = (...words) => is(words, 'API-WS', 'already discarded') || note(words.join(' '));
	return warnings;
}

function within(seconds, promise, failure) {
	let timer;
	const late = new Promise((_, reject) => (timer = setTimeout(() => reject(failure), seconds * 1000)));
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function connect(url) {
	const { ApiPromise, WsProvider } = await import('@polkadot/api');
	const failure = new Unusable(`--url ${url}: no node answers there; start one, or give the address of its RPC port`);
	const provider = new WsProvider(url, false);
	let api;
	const gone = new Unusable(`--url ${url}: the node went away`);
	provider.on('disconnected', () => process.exit(report(api ? gone : failure)));
	provider.connect().catch(() => {});
	api = await within(CONNECT_SECONDS, ApiPromise.create({ provider, throwOnConnect: true }), failure);
	if (!api.query.rewards || !api.query.nodeIdentity) throw new Unusable(`--url ${url}: this is not a chain of Towpath's`);
	return api;
}

// One token from Ferdie to Eve, signed here.
async function transfer(api) {
	const { Keyring } = await import('@polkadot/api');
	const keyring = new Keyring({ type: 'sr25519' });
	const [from, to] = ['//Ferdie', '//Eve'].map((uri) => keyring.addFromUri(uri));
	const call = api.tx.balances.transferKeepAlive(to.address, 10n ** BigInt(api.registry.chainDecimals[0]));
	const sent = new Promise((resolve, reject) => {
		const follow = ({ status, dispatchError }) => {
			if (dispatchError || status.isError) reject(new Error(`the transfer failed: ${dispatchError ?? status.type}`));
			if (status.isFinalized) resolve(status.asFinalized);
		};
		call.signAndSend(from, follow).catch(reject);
	});
	const hash = await within(FINALITY_SECONDS, sent, new Error(`the transfer is not final after ${FINALITY_SECONDS} s`));
	const { number } = await api.rpc.chain.getHeader(hash);
	note(`1 token from //Ferdie to //Eve is final in block ${number} ${hash.toHex()}`);
}

// A block: its events in order, each with the signer of the call of balances that it came from, and its author.
async function readBlock(api, height) {
	const hash = await api.rpc.chain.getBlockHash(height);
	const [{ block }, at] = await Promise.all([api.rpc.chain.getBlock(hash), api.at(hash)]);
	const [records, validators] = await Promise.all([at.query.system.events(), at.query.session.validators()]);
	const events = records.map(({ phase, event: { section, method, data } }) => {
		const extrinsic = phase.isApplyExtrinsic ? block.extrinsics[phase.asApplyExtrinsic.toNumber()] : undefined;
		const byCall = extrinsic?.isSigned && extrinsic.method.section === 'balances';
		const fields = Object.fromEntries((data.names ?? []).map((name, index) => [name, data[index].toJSON()]));
		return [{ section, method, data: fields }, byCall ? extrinsic.signer.toString() : undefined];
	});
	const digest = block.header.digest.logs.find((log) => log.isPreRuntime && log.asPreRuntime[0].isBabe);
	// In the first block of a session its validators are the new ones already, as BABE's authorities are.
	const author = digest && validators[authorityIndex(digest.asPreRuntime[1].toU8a(true))];
	if (!author) throw new Error(`block ${height}: no author among the ${validators.length} validators`);
	return { height, hash, parent: block.header.parentHash, events, author: author.toString() };
}

// Reads blocks 1 to `height` into the book; returns the hash of the last one.
async function walk(api, height, book) {
	let previous = api.genesisHash;
	for (let from = 1; from <= height; from += BATCH) {
		const heights = Array.from({ length: Math.min(BATCH, height - from + 1) }, (_, index) => from + index);
		for (const block of await Promise.all(heights.map((at) => readBlock(api, at)))) {
			if (!block.parent.eq(previous)) throw new Error(`block ${block.height} does not follow the one before it`);
			for (const [event, caller] of block.events) book.add(event, caller);
			book.authored.set(block.author, (book.authored.get(block.author) ?? 0) + 1);
			previous = block.hash;
		}
		if (heights.at(-1) % (16 * BATCH) === 0) note(`read ${heights.at(-1)} of ${height} blocks`);
	}
	return previous;
}

// The money, the routers and the validators at a block.
async function readState(api, hash) {
	const { balances, nodeIdentity, session, system } = (await api.at(hash)).query;
	const [issuance, accounts, holds, routers, validators] = await Promise.all([
		balances.totalIssuance(),
		system.account.entries(),
		balances.holds.entries(),
		nodeIdentity.routers.entries(),
		session.validators(),
	]);
	const money = ({ data: { free, reserved } }) => ({ free: free.toBigInt(), held: reserved.toBigInt() });
	const forChannels = (list) => list.find(({ id }) => id.isRewards && id.asRewards.isChannel)?.amount.toBigInt() ?? 0n;
	const view = (node, { operator, profile: { prefixes, price } }) =>
		({ node: node.toHex(), operator: operator.toString(), gateway: prefixes.length > 0, price: price.toString() });
	return {
		issuance: issuance.toBigInt(),
		accounts: new Map(accounts.map(([{ args: [who] }, account]) => [who.toString(), money(account)])),
		channelHolds: new Map(holds.map(([{ args: [who] }, list]) => [who.toString(), forChannels(list)])),
		routers: routers.map(([{ args: [node] }, router]) => view(node, router.unwrap())),
		validators: new Set(validators.map(String)),
	};
}

async function witness(args, api) {
	if (args.transfer) await transfer(api);
	const final = (await api.rpc.chain.getHeader(await api.rpc.chain.getFinalizedHead())).number.toNumber();
	const height = Number(args.at ?? final);
	if (height > final) throw new Unusable(`--at ${height}: only ${final} blocks are final; wait, or give a lower height`);

	const book = new Book(api.createType('AccountId', palletAccount(api.consts.treasury.palletId.toU8a())).toString());
	const genesis = await readState(api, api.genesisHash);
	const now = await readState(api, await walk(api, height, book));
	if (args.channel !== undefined && !book.channels.has(args.channel)) {
		const known = [...book.channels.keys()].join(', ') || 'none';
		throw new Unusable(`--channel ${args.channel}: not opened by block ${height}; give one of: ${known}`);
	}
	const head = { finalized_height: height, genesis_hash: api.genesisHash.toHex() };
	const ledger = book.ledger(head, args.channel, genesis, now);
	process.stdout.write(`${JSON.stringify(ledger)}\n`);

	const problems = book.check(ledger, args.channel, genesis, now);
	const differing = args.expected === undefined ? [] : differences(args.expected, ledger);
	problems.push(...differing.map((text) => `--expect ${args.expect}: ${text}`));
	for (const [who, { moved }] of book.accounts) {
		if (moved) note(`${who}: ${moved} base units came (left, if negative) as transfers, dust or forfeited vouches`);
	}
	for (const problem of problems) note(`WRONG ${problem}`);
	const verdict = problems.length ? 'does not add up' : 'all adds up';
	note(`${height} blocks, ${now.accounts.size} accounts, ${book.channels.size} channels: ${verdict}`);
	return problems.length ? 1 : 0;
}

// Says what went wrong and what to do; returns the exit code.
function report(error) {
	const hints = [
		[/already discarded|UnknownBlock/, '; the node must keep all states: start it with --state-pruning archive'],
		[/Cannot find package/, '; run `npm ci` in scripts/ledger first'],
	];
	const [, hint] = hints.find(([pattern]) => pattern.test(error.message)) ?? [];
	note(error.message + (hint ?? ''));
	return hint || error instanceof Unusable ? 2 : 1;
}

const warnings = collectWarnings();
try {
	const args = readArgs();
	if (args.help) process.stdout.write(`${HELP}\n`);
	else process.exitCode = await witness(args, await connect(args.url));
} catch (error) {
	process.exitCode = report(error);
}
for (const warning of warnings) note(`WRONG polkadot-js: ${warning}`);
process.exit(warnings.length ? process.exitCode || 1 : process.exitCode);
