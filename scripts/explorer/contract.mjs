#!/usr/bin/env node
// The contract with explorers and wallets: makes every call that their pages make, against a live network of four validators
// that it starts itself, and lists the calls.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Calls, until } from './calls.mjs';
import { collectWarnings, connect } from './chain.mjs';
import { LocalNetwork } from './local.mjs';

const HELP = `Makes every call that explorers and wallets make of a Towpath network, and lists them.

usage: node contract.mjs [--url URL | --node PROGRAM] [--python PROGRAM] [--client NAME]... [--output text|json]

  --url URL         use the local network behind this address instead of starting one; it signs for //Alice to //Ferdie
  --node PROGRAM    the node to start four times (default: debug/towpath-node in CARGO_TARGET_DIR or target)
  --python PROGRAM  the Python with what requirements.txt names (default: .venv/bin/python in this folder)
  --client NAME     only this client: polkadot-js, papi, light or python; may be repeated (default: all four)
  --output FORMAT   text: the list of calls; json: one object as the last line of stdout (default text)

The calls go to stdout, everything else to stderr. Takes five to eight minutes: referenda have to pass, and bounties are paid 96 blocks after their award.
exit code: 0 all calls are as expected; 1 some are not, and are named; 2 wrong usage, or no usable node

examples:
  node contract.mjs
  node contract.mjs --output json | tail -n 1 | jq '.calls[] | select(.ok | not)'
  node contract.mjs --url ws://127.0.0.1:9944 --client polkadot-js`;
// A node that was just started on a busy computer takes its time; one that runs does not.
const [START_SECONDS, CONNECT_SECONDS] = [180, 30];
const HERE = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const CLIENTS = ['polkadot-js', 'papi', 'light', 'python'];
const [POLKADOT_JS, PAPI, LIGHT, PYTHON] = ['@polkadot/api', 'polkadot-api', 'smoldot', 'substrate-interface'];

// Something that the user can mend. Whatever else is thrown is the chain's doing.
class Unusable extends Error {}

const note = (text) => process.stderr.write(`explorer: ${text}\n`);

export function readArgs(argv) {
	const string = { type: 'string' };
	const options = { url: string, node: string, python: string, client: { ...string, multiple: true }, output: { ...string, default: 'text' } };
	let args;
	try {
		args = parseArgs({ args: argv, options: { ...options, help: { type: 'boolean', short: 'h' } } }).values;
	} catch (error) {
		throw new Unusable(`${error.message.split(/\. |\n/)[0]}; see --help`);
	}
	if (args.url !== undefined && (!/^wss?:\/\/[^/]/.test(args.url) || !URL.canParse(args.url))) {
		throw new Unusable(`--url ${args.url}: give a WebSocket address like ws://127.0.0.1:9944`);
	}
	if (args.url !== undefined && args.node !== undefined) throw new Unusable('--url and --node: give one of them');
	if (!['text', 'json'].includes(args.output)) throw new Unusable(`--output ${args.output}: give text or json`);
	const strange = (args.client ?? []).find((name) => !CLIENTS.includes(name));
	if (strange !== undefined) throw new Unusable(`--client ${strange}: give one of: ${CLIENTS.join(', ')}`);
	const target = process.env.CARGO_TARGET_DIR ?? resolve(HERE, '../../target');
	return { node: join(target, 'debug/towpath-node'), python: join(HERE, '.venv/bin/python'), ...args, client: args.client ?? CLIENTS };
}

// One of the clients: the calls of its pages, made beside those of the others.
async function polkadotJs(calls, chain, vectors) {
	const [{ blocks, explorer, nodeInfo }, { accounts, wallet }, { network, sudo }, { referenda, tracks }, { payout, treasury }, { bounties, childBounties }, { decoding, ours }, { types }] =
		await Promise.all(['explorer', 'accounts', 'network', 'governance', 'treasury', 'bounties', 'ours', 'types'].map((page) => import(`./pages/${page}.mjs`)));
	const run = (page, story) => calls.run(POLKADOT_JS, page, story);
	let facts;
	await Promise.all([
		run('Referenda, Preimages, Scheduler', async (ask) => {
			await tracks(ask, chain);
			const spend = await referenda(ask, chain);
			await run('Treasury', async (ask) => payout(ask, chain, spend));
		}),
		run('Treasury', (ask) => treasury(ask, chain)),
		run('Bounties', (ask) => bounties(ask, chain)),
		run('Bounties, a child', (ask) => childBounties(ask, chain)),
		run('Accounts', async (ask) => {
			await accounts(ask, chain);
			await wallet(ask, chain);
		}),
		run('Towpath', async (ask) => {
			await decoding(ask, { api: chain.api, vectors });
			await ours(ask, chain);
		}),
		run('Explorer', (ask) => explorer(ask, chain)),
		run('Explorer, node info', (ask) => nodeInfo(ask, chain)),
		run('Network', (ask) => network(ask, chain)),
		run('Sudo', (ask) => sudo(ask, chain)),
	]);
	// Last, when there is something in most of the maps, and something in the blocks.
	await run('Developer', (ask) => types(ask, { api: chain.api, vectors }));
	await run('Explorer', async (ask) => (facts = await blocks(ask, chain)));
	return facts;
}

async function papi(calls, url, { keyring, unit }, vectors) {
	const { connect: connectPapi, metadata, wallet } = await import('./papi.mjs');
	const client = await connectPapi(url);
	try {
		await calls.run(PAPI, 'Wallet', (ask) => wallet(ask, { client, keyring, unit }));
		await calls.run(PAPI, 'Metadata', (ask) => metadata(ask, { client, vectors }));
	} finally {
		client.destroy();
	}
}

async function python(calls, url, program, vectors, children) {
	if (!existsSync(program)) throw new Unusable(`--python ${program}: not there; \`make explorer\` installs it`);
	const folder = mkdtempSync(join(tmpdir(), 'towpath-vectors-'));
	try {
		const file = join(folder, 'vectors.json');
		writeFileSync(file, JSON.stringify(vectors));
		const child = spawn(program, [join(HERE, 'client.py'), url, file], { stdio: ['ignore', 'pipe', 'pipe'] });
		children.add(child);
		for (const [stream, read] of [[child.stdout, (line) => {
			const { page, call, error } = JSON.parse(line);
			calls.add(PYTHON, page, call, error);
		}], [child.stderr, (line) => note(`python: ${line}`)]]) {
			createInterface({ input: stream }).on('line', read);
		}
		const code = await new Promise((done, failed) => child.on('error', failed).on('close', done));
		children.delete(child);
		if (code !== 0 && !calls.failed.some(({ client }) => client === PYTHON)) calls.add(PYTHON, 'Wallet', 'the client itself', `exit code ${code}`);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
	note(`${PYTHON}: done`);
}

async function contract(args, url, children) {
	const warnings = collectWarnings(note);
	const calls = new Calls(note);
	note(`connecting to ${url}`);
	const chain = await connect(url, args.url ? CONNECT_SECONDS : START_SECONDS).catch((error) => {
		throw new Unusable(`--url ${url}: no usable node: ${error.message}`);
	});
	const { api } = chain;
	if (!api.query.rewards || !api.query.nodeIdentity) throw new Unusable(`--url ${url}: this is not a chain of Towpath's`);
	// Without a pallet named Staking, whose page would break, api-derive takes session 1 for the era's first: in session 0 it
	// counts to less than nothing, and throws.
	note('waiting for the first session to end, and for finality');
	await until('the second session', async () =>
		!(await api.query.session.currentIndex()).isZero() && (await api.rpc.chain.getHeader(await api.rpc.chain.getFinalizedHead())).number.toNumber() > 0);

	const { makeVectors } = await import('./pages/ours.mjs');
	const vectors = makeVectors(api);
	const wanted = (client) => args.client.includes(client);
	const [facts] = await Promise.all([
		wanted('polkadot-js') && polkadotJs(calls, chain, vectors),
		wanted('papi') && papi(calls, url, chain, vectors),
		wanted('light') && calls.run(LIGHT, 'Light client', async (ask) => (await import('./light.mjs')).light(ask, chain, note)),
		wanted('python') && python(calls, url, args.python, vectors, children),
	]);
	await calls.run(POLKADOT_JS, 'Developer', (ask) => ask('no warnings about what it does not know', () => warnings, (all) => all.length === 0 || all.join('; ')));
	await api.disconnect();
	return [calls, facts || {}];
}

function print(args, calls, facts, seconds) {
	if (args.output === 'json') process.stdout.write(`${JSON.stringify(calls.json({ seconds, ...facts }))}\n`);
	else process.stdout.write(`${calls.text()}\n`);
	const { list, failed } = calls;
	note(`${list.length} calls in ${seconds} s: ${failed.length ? `${failed.length} failed` : 'all as expected'}`);
	return failed.length ? 1 : 0;
}

// Says what went wrong and what to do; returns the exit code.
function report(error) {
	const hint = /Cannot find package/.test(error.message) ? '; run `make explorer`, or `npm ci` in scripts/explorer, first' : '';
	note((error instanceof Unusable ? error.message : (error.stack ?? error)) + hint);
	return hint || error instanceof Unusable ? 2 : 1;
}

async function main() {
	const started = Date.now();
	const children = new Set();
	let network;
	const clean = () => {
		for (const child of children) child.kill('SIGKILL');
		network?.stop();
	};
	process.on('exit', clean);
	for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) process.on(signal, () => process.exit(code));
	try {
		const args = readArgs(process.argv.slice(2));
		if (args.help) {
			process.stdout.write(`${HELP}\n`);
			return 0;
		}
		if (args.client.includes('python') && !existsSync(args.python)) throw new Unusable(`--python ${args.python}: not there; \`make explorer\` installs it`);
		let { url } = args;
		if (url === undefined) {
			if (!existsSync(args.node)) throw new Unusable(`--node ${args.node}: not there; build it with: make build`);
			network = new LocalNetwork();
			note('starting four validators');
			url = await network.start(args.node, (error) => process.exit(report(error)));
		}
		const [calls, facts] = await contract(args, url, children);
		return print(args, calls, facts, Math.round((Date.now() - started) / 1000));
	} catch (error) {
		return report(error);
	}
}

if (process.argv[1] === new URL(import.meta.url).pathname) process.exit(await main());
