// A network of four validators on loopback, each a process with a folder and keys of its own. It ends with this program,
// however that ends.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAMES = ['alice', 'bob', 'charlie', 'dave'];
// The network id behind the network key 00…01, which Alice's node has.
const BOOT_PEER = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp';
const [FIRST_PORT, LAST_PORT] = [19000, 19100];

function isFree(port) {
	return new Promise((resolve) => {
		const server = createServer();
		server.once('error', () => resolve(false));
		server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
	});
}

async function freePorts(count) {
	const ports = [];
	for (let port = FIRST_PORT; port <= LAST_PORT && ports.length < count; port++) {
		if (await isFree(port)) ports.push(port);
	}
	if (ports.length < count) throw new Error(`fewer than ${count} free ports from ${FIRST_PORT} to ${LAST_PORT}`);
	return ports;
}

export class LocalNetwork {
	#processes = [];
	#folder = mkdtempSync(join(tmpdir(), 'towpath-explorer-'));
	stopped = false;

	// Starts all four; `failed` hears of one that ends by itself.
	async start(program, failed) {
		if (!existsSync(program)) throw new Error(`${program} is missing; build it with: make build`);
		const ports = await freePorts(2 * NAMES.length);
		const boot = `/ip4/127.0.0.1/tcp/${ports[0]}/p2p/${BOOT_PEER}`;
		for (const [index, name] of NAMES.entries()) {
			// Asked to stop while it looked for ports.
			if (this.stopped) return undefined;
			const [p2p, rpc] = ports.slice(2 * index);
			const folder = join(this.#folder, name);
			mkdirSync(folder);
			const log = openSync(join(folder, 'log'), 'a');
			const args = ['--chain', 'local', `--${name}`, '--base-path', folder];
			args.push('--node-key', String(index + 1).padStart(64, '0'));
			args.push('--listen-addr', `/ip4/127.0.0.1/tcp/${p2p}`, '--rpc-port', String(rpc));
			args.push('--no-mdns', '--no-prometheus', '--no-telemetry', '--state-pruning', 'archive', '--blocks-pruning', 'archive');
			if (index > 0) args.push('--bootnodes', boot);
			// setpriv makes the kernel end the node when this program is killed and cannot do it itself.
			const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { stdio: ['ignore', log, log] });
			const ended = (how) => this.stopped || failed(new Error(`${name}'s node ${how}; the end of its log:\n${this.#tail(folder)}`));
			child.on('error', (error) => ended(`cannot be started (${error.message}; is setpriv of util-linux there?)`));
			child.on('exit', (code, signal) => ended(`has ended (${signal ?? code})`));
			this.#processes.push(child);
		}
		return `ws://127.0.0.1:${ports[1]}`;
	}

	#tail(folder) {
		return readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n').slice(-15).join('\n');
	}

	// At once, so that it can be the last thing that a program does.
	stop() {
		if (this.stopped) return;
		this.stopped = true;
		for (const child of this.#processes) if (child.exitCode === null) child.kill('SIGKILL');
		// A node that is just ending may still write.
		rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
	}
}
