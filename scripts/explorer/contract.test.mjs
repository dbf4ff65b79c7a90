import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { Calls, must, until, within } from './calls.mjs';
import { Samples, vectors } from './samples.mjs';

const fields = (...of) => ({ path: '', kind: 'fields', of });
const variants = (path, ...all) => ({ path, kind: 'variants', variants: all.map(([name, index, of, docs = '']) => ({ name, index, of, docs })) });
const primitive = (of) => ({ path: '', kind: 'primitive', of });

test('samples of plain types have all their bytes', () => {
	const samples = new Samples([primitive('u32'), fields(0, 0), { path: '', kind: 'array', of: 0, length: 2 }, { path: '', kind: 'compact', of: 0 }, primitive('str')]);
	assert.deepEqual([...samples.one(0)], [1, 2, 3, 4]);
	assert.deepEqual([...samples.one(1)], [1, 2, 3, 4, 1, 2, 3, 4]);
	assert.deepEqual(samples.one(2).length, 8);
	assert.deepEqual([...samples.one(3)], [4]);
	assert.deepEqual([...samples.one(4)], [8, 111, 107]);
});

test('a type that contains itself has samples, and they end', () => {
	// A call that is a number or a batch of calls.
	const types = [primitive('u8'), variants('Call', ['Batch', 7, [2]], ['Number', 3, [0]]), { path: '', kind: 'sequence', of: 1 }];
	const samples = new Samples(types);
	assert.deepEqual(samples.all(1).map((value) => [...value]), [[7, 4, 3, 1], [3, 1]]);
});

test('an enum without variants has no samples, and neither has what needs one', () => {
	const samples = new Samples([variants('Never'), fields(0), { path: '', kind: 'sequence', of: 0 }, variants('Maybe', ['None', 0, []], ['Some', 1, [0]])]);
	assert.deepEqual(samples.all(0), []);
	assert.deepEqual(samples.all(1), []);
	assert.deepEqual([...samples.one(2)], [0]);
	assert.deepEqual(samples.all(3).map((value) => [...value]), [[0]]);
});

test('vectors name every event and error of a pallet', () => {
	const types = [primitive('u8'), variants('Event', ['Happened', 2, [0], 'It happened.']), variants('Error', ['Refused', 5, [], 'No.'])];
	const made = vectors(new Samples(types), [{ pallet: 'Ours', index: 9, event: 1, error: 2 }]);
	assert.deepEqual(made.events, [{ pallet: 'Ours', index: 9, name: 'Happened', docs: 'It happened.', data: '0x090201' }]);
	assert.deepEqual(made.errors, [{ pallet: 'Ours', index: 9, name: 'Refused', docs: 'No.', error: '0x05000000' }]);
});

test('calls are recorded, whether they go well, fail or answer something else', async () => {
	const calls = new Calls();
	const ask = calls.page('client', 'Page');
	assert.equal(await ask('good', () => 7, (answer) => answer === 7), 7);
	await assert.rejects(ask('thrown', () => Promise.reject(new Error('no'))), /no/);
	await assert.rejects(ask('other', () => 8, (answer) => answer === 7), /unexpected answer 8/);
	await ask.each([['one', () => 1], ['two', () => must(false, 'two is wrong')], ['three', () => 3]]);
	assert.deepEqual(calls.failed.map(({ call, error }) => [call, error]), [['thrown', 'no'], ['other', 'unexpected answer 8'], ['two', 'two is wrong']]);
	const { ok, made, failed } = calls.json({});
	assert.deepEqual([ok, made, failed], [false, 6, 3]);
	assert.match(calls.text(), /client · Page\n {2}ok {6}good\n {2}FAILED {2}thrown: no/);
});

test('what stops a page is recorded once', async () => {
	const calls = new Calls();
	await calls.run('client', 'Page', async (ask) => ask('first', () => must(false, 'wrong')));
	await calls.run('client', 'Page', () => Promise.reject(new Error('the page broke')));
	assert.deepEqual(calls.failed.map(({ call }) => call), ['first', 'the page itself']);
});

test('waiting ends', async () => {
	await assert.rejects(within(0.01, new Promise(() => {}), 'this'), /this: no answer within 0.01 s/);
	await assert.rejects(until('that', () => false, 0), /that: not within 0 s/);
	assert.equal(await until('that', () => 5), 5);
});

test('wrong flags end with 2 and say what to do', () => {
	const run = (...args) => spawnSync(process.execPath, ['contract.mjs', ...args], { cwd: import.meta.dirname, encoding: 'utf8' });
	for (const [args, words] of [
		[['--what'], /Unknown option '--what'; see --help/],
		[['--url', 'http://example.org'], /--url http:\/\/example.org: give a WebSocket address/],
		[['--url', 'ws://127.0.0.1:1', '--node', 'x'], /give one of them/],
		[['--output', 'xml'], /--output xml: give text or json/],
		[['--client', 'other'], /--client other: give one of: polkadot-js, papi, light, python/],
		[['--node', '/nowhere', '--client', 'papi'], /\/nowhere: not there; build it with: make build/],
	]) {
		const { status, stderr, stdout } = run(...args);
		assert.equal(status, 2, stderr);
		assert.match(stderr, words);
		assert.equal(stdout, '');
	}
	const help = run('--help');
	assert.equal(help.status, 0);
	assert.match(help.stdout, /usage: .*\n[^]*examples:/);
});
