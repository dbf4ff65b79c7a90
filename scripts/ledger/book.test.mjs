import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Book, authorityIndex, differences, palletAccount } from './book.mjs';

const event = (name, data) => ({ section: name.split('.')[0], method: name.split('.')[1], data });
const division = { operator: '0x384', burned: 50, treasury: 50 };
const claim = { channel: 0, node: '0xaa', operator: 'alice', increase: 1000, division };
// Eve pays Alice 1000 through channel 0, which mints 7 for Alice; Eve pays a fee of 5.
const story = [
	event('rewards.Opened', { channel: 0, payer: 'eve', sponsor: null, deposit: 5000, reserve: 1000 }),
	event('balances.BurnedHeld', { reason: { rewards: 'Channel' }, who: 'eve', amount: 50 }),
	event('rewards.Paid', claim),
	event('bandwidthAttestations.Claimed', { channel: 0, node: '0xaa', owed: 1000, increase: 1000, bytes: 64 }),
	event('transactionPayment.TransactionFeePaid', { who: 'eve', actualFee: 5, tip: 0 }),
	event('balances.Minted', { who: 'alice', amount: 7 }),
	event('rewards.PaidOut', { era: 0, node: '0xaa', operator: 'alice', subsidy: 4, validatorPay: 3 }),
];
const accounts = (list) => new Map(Object.entries(list).map(([who, [free, held]]) => [who, { free, held }]));
const genesis = { issuance: 21000n, accounts: accounts({ alice: [9000n, 1000n], eve: [10000n, 0n], pot: [1000n, 0n] }) };
const now = {
	issuance: 20957n,
	accounts: accounts({ alice: [9907n, 1000n], eve: [3995n, 5000n], pot: [1055n, 0n] }),
	channelHolds: new Map([['eve', 5000n]]),
	routers: [{ node: '0xaa', operator: 'alice', gateway: true, price: '3' }],
	validators: new Set(['alice']),
};

function audit(events, state = now) {
	const book = new Book('pot');
	for (const [each, caller] of events.map((each) => [each].flat())) book.add(each, caller);
	const ledger = book.ledger({}, 0n, genesis, state);
	return { ledger, problems: book.check(ledger, 0n, genesis, state) };
}

test('an honest story adds up', () => {
	const { ledger, problems } = audit(story);
	assert.deepEqual(problems, []);
	const { gross, claimed, earned, relayed_bytes: bytes } = ledger.routers[0];
	assert.deepEqual([gross, claimed, earned, bytes], ['1000', '900', '907', 64]);
	assert.deepEqual(ledger.payer.balance, { genesis: '10000', free: '3995', held: '5000' });
	assert.deepEqual([ledger.payer.spent, ledger.payer.refundable], ['1000', '5000']);
	assert.deepEqual(ledger.issuance, { genesis: '21000', minted: '7', burned: '50', now: '20957' });
});

test('each event that is missing or told twice is noticed', () => {
	for (const [index, each] of story.entries()) {
		if (each.method === 'Claimed') continue; // bytes are not money
		assert.notDeepEqual(audit(story.toSpliced(index, 1)).problems, [], `without ${each.method}`);
		assert.notDeepEqual(audit([...story, each]).problems, [], `${each.method} twice`);
	}
});

test('a transfer counts if its sender signed it, and is named if not', () => {
	const transfer = event('balances.Transfer', { from: 'eve', to: 'alice', amount: 10 });
	const moved = accounts({ alice: [9917n, 1000n], eve: [3985n, 5000n], pot: [1055n, 0n] });
	assert.deepEqual(audit([...story, [transfer, 'eve']], { ...now, accounts: moved }).problems, []);
	assert.match(audit([...story, [transfer, 'alice']], { ...now, accounts: moved }).problems[0], /not signed by the sender/);
});

test('a slashed bond is burned, and an account that lost it otherwise is named', () => {
	const slash = [
		event('balances.BurnedHeld', { reason: { validatorElection: 'ValidatorBond' }, who: 'alice', amount: 100 }),
		event('validatorElection.Slashed', { operator: 'alice', session: 3, amount: 100 }),
	];
	const poorer = accounts({ alice: [9907n, 900n], eve: [3995n, 5000n], pot: [1055n, 0n] });
	const state = { ...now, issuance: 20857n, accounts: poorer };
	assert.deepEqual(audit([...story, ...slash], state).problems, []);
	assert.notDeepEqual(audit([...story, slash[0]], state).problems, []);
});

test('a sponsor pays first, then the payer, and what is forfeited is burned', () => {
	const opened = { channel: 0, payer: 'eve', sponsor: 'bob', deposit: 600, reserve: 1000 };
	const book = new Book('pot');
	book.add(event('rewards.Opened', opened));
	book.add(event('rewards.ToppedUp', { channel: 0, who: 'eve', amount: 400 }));
	book.add(event('rewards.Paid', claim));
	book.add(event('rewards.Paid', { ...claim, increase: 0, division: { ...division, operator: 0 } }));
	book.add(event('rewards.Finished', { channel: 0, refunded: 0, forfeited: 900 }));
	assert.deepEqual([book.account('bob').spent, book.account('eve').spent, book.total.burned], [1600n, 400n, 1000n]);
});

test('differences are named by their paths, and only these', () => {
	const chain = { a: [{ b: '1', c: 2 }], d: null };
	assert.deepEqual(differences({ ...chain, download: {}, killed: 1 }, chain), []);
	assert.deepEqual(differences({ a: [{ b: 1 }], e: 1 }, chain), [
		'a.0.b: file 1, chain "1"',
		'a.0.c: file nothing, chain 2',
		'e: file 1, chain nothing',
		'd: file nothing, chain null',
	]);
});

test('the author of a block and the account of a pallet are read from bytes', () => {
	assert.equal(authorityIndex(Uint8Array.from([9, 2, 3, 1, 0, 0, 7]).subarray(1)), 259);
	assert.equal(Buffer.from(palletAccount(Buffer.from('towpath/'))).toString('latin1'), 'modltowpath/'.padEnd(32, '\0'));
});
