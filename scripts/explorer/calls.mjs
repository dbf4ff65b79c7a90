// The list of calls that a run made: what the contract is, and what it prints.

const CALL_SECONDS = 90;

export function within(seconds, promise, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`${what}: no answer within ${seconds} s`)), seconds * 1000);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

// Asks again and again, and returns the first answer that counts. What it waits for depends on blocks, so it has long.
export async function until(what, probe, seconds = 240) {
	for (const end = Date.now() + seconds * 1000; ;) {
		const found = await probe();
		if (found) return found;
		if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
		await pause(0.5);
	}
}

// Encoded values can be long, and their beginnings say enough.
const shortened = (text) => (text.length > 1_000 ? `${text.slice(0, 1_000)}…` : text);

// What a failed check says. A condition must be true, so that a forgotten `await` does not pass.
export function must(condition, message) {
	if (condition !== true) throw new Error(message);
}

export class Calls {
	#note;

	constructor(note = () => {}) {
		this.list = [];
		this.#note = note;
	}

	get failed() {
		return this.list.filter(({ ok }) => !ok);
	}

	// A call that was made elsewhere.
	add(client, page, call, error) {
		this.list.push({ client, page, call, ok: !error, ...(error && { error: shortened(String(error)) }) });
		if (error) this.#note(`FAILED ${client}, ${page}: ${call}: ${shortened(String(error))}`);
	}

	// One page's recorder: makes a call, checks the answer if there is something to check, and records how it went. An error
	// goes on to the caller, since what follows usually needs the answer.
	page(client, page) {
		const ask = async (call, action, check) => {
			try {
				const answer = await within(CALL_SECONDS, Promise.resolve().then(action), call);
				if (check) must((await check(answer)) ?? true, `unexpected answer ${show(answer)}`);
				this.add(client, page, call);
				return answer;
			} catch (error) {
				this.add(client, page, call, error.message ?? error);
				throw Object.assign(error instanceof Error ? error : new Error(String(error)), { recorded: true });
			}
		};
		// Calls that do not need each other: all are made, whatever becomes of one.
		ask.each = (calls) => Promise.allSettled(calls.map(([call, action, check]) => ask(call, action, check)));
		// Things that are looked for and must not be there.
		ask.absent = (what, value) => ask(`no ${what}`, () => value, (found) => found === undefined);
		return ask;
	}

	// Runs a page to its end. What stops it is recorded once.
	async run(client, page, story) {
		try {
			await story(this.page(client, page));
		} catch (error) {
			if (!error?.recorded) this.add(client, page, 'the page itself', error?.stack ?? error);
		}
		this.#note(`${client}, ${page}: done`);
	}

	// As people read it.
	text() {
		const lines = [];
		let heading;
		const order = (a, b) => a.client.localeCompare(b.client) || a.page.localeCompare(b.page);
		for (const { client, page, call, ok, error } of [...this.list].sort(order)) {
			if (heading !== `${client} · ${page}`) lines.push((heading = `${client} · ${page}`));
			lines.push(`  ${ok ? 'ok    ' : 'FAILED'}  ${call}${ok ? '' : `: ${error.split('\n')[0]}`}`);
		}
		return lines.join('\n');
	}

	json(facts) {
		const { list: calls, failed } = this;
		return { ...facts, ok: failed.length === 0, made: calls.length, failed: failed.length, calls };
	}
}

function show(answer) {
	const text = answer?.toHuman ? JSON.stringify(answer.toHuman()) : String(answer);
	return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
