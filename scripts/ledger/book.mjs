// The bookkeeping: pure, from events in order to a ledger and to what is wrong with it. No chain access, no clock.
//
// An event is { section, method, data }, `data` as polkadot-js's toJSON() gives it: amounts are numbers or 0x-strings, which
// BigInt() both takes, accounts are SS58, keys are hex.

// Which events of balances change issuance, and which way (pallet_balances 51.0.2). These do not:
// - Withdraw and Deposit: a fee is withdrawn as a credit and deposited again, the rest with its payer, the fee with the
//   treasury; dust (DustLost) is such a credit too. A credit that nobody takes is dropped, which says BurnedDebt;
// - Slashed: the slashed credit, where nobody takes it, is dropped, which says Rescinded or BurnedDebt.
const ISSUES = ['Minted', 'MintedCredit', 'Issued', 'Restored'];
const DESTROYS = ['Burned', 'BurnedHeld', 'BurnedDebt', 'Rescinded', 'Suspended'];

const sum = (numbers) => [...numbers].reduce((total, number) => total + BigInt(number), 0n);
const max = (a, b) => (a > b ? a : b);
const entry = (map, key, fresh) => map.get(key) ?? map.set(key, fresh).get(key);
const grow = (map, key, by) => map.set(key, (map.get(key) ?? 0n) + BigInt(by));
// What an account has in a state, free and held.
const has = (state, who) => sum(Object.values(state.accounts.get(who) ?? {}));

// The authority index in a BABE pre-digest: the first field of all three kinds, little-endian, after the kind.
export const authorityIndex = (preDigest) => new DataView(preDigest.buffer, preDigest.byteOffset).getUint32(1, true);

// The account of a pallet: "modl", its 8-byte id, zeros.
export const palletAccount = (id) => Uint8Array.from(Buffer.concat([Buffer.from('modl'), id], 32));

// Every path at which two JSON values differ.
export function differences(file, chain, path = '') {
	const isObject = (value) => typeof value === 'object' && value !== null;
	const show = (value) => JSON.stringify(value) ?? 'nothing';
	if (!isObject(file) || !isObject(chain)) {
		return file === chain ? [] : [`${path || 'all'}: file ${show(file)}, chain ${show(chain)}`];
	}
	return [...new Set([...Object.keys(file), ...Object.keys(chain)])]
		.filter((key) => path || !['download', 'killed'].includes(key))
		.flatMap((key) => differences(file[key], chain[key], path ? `${path}.${key}` : key));
}

// What each event does to the book.
const HANDLERS = {
	'balances.Transfer'(book, { from, to, amount }, caller) {
		if (from === caller) book.move(from, to, amount);
		else book.problems.push(`balances.Transfer of ${BigInt(amount)} from ${from} to ${to}: not signed by the sender`);
	},
	'balances.DustLost': (book, { account, amount }) => book.move(account, book.treasury, amount),
	'nodeIdentity.VouchForfeited': (book, { voucher, amount }) => book.move(voucher, book.treasury, amount),
	'transactionPayment.TransactionFeePaid'(book, { who, actualFee }) {
		book.account(who).fees += BigInt(actualFee);
		book.account(book.treasury).earned += BigInt(actualFee);
	},
	'bandwidthAttestations.Claimed'(book, { channel, node, bytes }) {
		book.node(book.channel(channel), node).bytes += BigInt(bytes);
	},
	'rewards.Opened'(book, { channel: id, payer, sponsor, deposit, reserve }) {
		const channel = Object.assign(book.channel(id), { payer, sponsor, opener: sponsor ?? payer });
		channel.deposit = BigInt(deposit);
		channel.reserve = BigInt(reserve);
		channel.sponsored = sponsor ? channel.deposit : 0n;
		grow(channel.funds, channel.opener, channel.deposit + channel.reserve);
	},
	'rewards.ToppedUp'(book, { channel: id, who, amount }) {
		const channel = book.channel(id);
		channel.deposit += BigInt(amount);
		if (who === channel.sponsor) channel.sponsored = max(channel.sponsored, channel.paid) + BigInt(amount);
		grow(channel.funds, who, amount);
	},
	'rewards.Paid'(book, { channel: id, node, operator, increase, division }) {
		const channel = book.channel(id);
		const of = book.node(channel, node);
		const total = sum(Object.values(division));
		of.gross += total;
		of.claimed += BigInt(division.operator);
		book.account(operator).earned += BigInt(division.operator);
		book.account(book.treasury).earned += BigInt(division.treasury);
		channel.spent += total;
		channel.burned += BigInt(division.burned);
		channel.treasury += BigInt(division.treasury);
		book.total.burned += BigInt(division.burned);
		// Without an increase it is the reserve that pays, the opener's. A sponsor's deposit is used before the payer's.
		if (BigInt(increase) === 0n) return book.spend(channel, channel.opener, total);
		const later = max(0n, total - max(0n, channel.sponsored - channel.paid));
		channel.paid += total;
		book.spend(channel, channel.sponsor, total - later);
		book.spend(channel, channel.payer, later);
	},
	'rewards.Finished'(book, { channel: id, refunded, forfeited }) {
		const channel = Object.assign(book.channel(id), { finished: true, returned: sum([refunded, forfeited]) });
		book.total.burned += BigInt(forfeited);
		book.spend(channel, channel.opener, BigInt(forfeited));
	},
	'rewards.PaidOut'(book, { node, operator, subsidy, validatorPay }) {
		const of = entry(book.minted, node, { subsidy: 0n, pay: 0n });
		of.subsidy += BigInt(subsidy);
		of.pay += BigInt(validatorPay);
		book.account(operator).earned += sum([subsidy, validatorPay]);
		book.total.minted += sum([subsidy, validatorPay]);
	},
	'validatorElection.Slashed'(book, { operator, amount }) {
		book.account(operator).moved -= BigInt(amount);
		book.total.burned += BigInt(amount);
	},
};

export class Book {
	accounts = new Map(); // account -> why money came to it and left it
	authored = new Map(); // account -> blocks
	channels = new Map(); // id -> channel
	minted = new Map(); // node -> subsidy and validator pay
	total = { minted: 0n, burned: 0n }; // as rewards tells it, and slashing
	issuance = { minted: 0n, burned: 0n }; // as balances tells it
	problems = [];

	constructor(treasury) {
		this.treasury = treasury;
	}

	account(who) {
		return entry(this.accounts, who, { earned: 0n, fees: 0n, spent: 0n, moved: 0n });
	}

	channel(id) {
		const sums = { deposit: 0n, reserve: 0n, sponsored: 0n, paid: 0n, spent: 0n, returned: 0n, burned: 0n, treasury: 0n };
		return entry(this.channels, BigInt(id), { ...sums, finished: false, funds: new Map(), nodes: new Map() });
	}

	node(channel, node) {
		return entry(channel.nodes, node, { gross: 0n, claimed: 0n, bytes: 0n });
	}

	// Takes money that `who` paid into a channel out of it.
	spend(channel, who, amount) {
		if (amount === 0n) return;
		grow(channel.funds, who, -amount);
		this.account(who).spent += amount;
	}

	// Money that is not earned, spent or a fee: transfers, dust, forfeited vouches.
	move(from, to, amount) {
		this.account(from).moved -= BigInt(amount);
		this.account(to).moved += BigInt(amount);
	}

	// `caller` signed the extrinsic in which the event happened, if that was a call of balances.
	add({ section, method, data }, caller) {
		HANDLERS[`${section}.${method}`]?.(this, data, caller);
		if (section !== 'balances') return;
		if (ISSUES.includes(method)) this.issuance.minted += BigInt(data.amount);
		if (DESTROYS.includes(method)) this.issuance.burned += BigInt(data.amount);
		if (method === 'TotalIssuanceForced') this.issuance.minted += BigInt(data.new) - BigInt(data.old);
	}

	// The ledger of one channel, or of none. Both states have the issuance and accounts, a map to { free, held }; `now` also
	// has routers, validators, and channelHolds: what is held from each account for channels.
	ledger(head, id, genesis, now) {
		const balance = (who) => ({ genesis: has(genesis, who), free: 0n, held: 0n, ...now.accounts.get(who) });
		const channel = this.channels.get(id) ?? { nodes: new Map(), burned: 0n, treasury: 0n };
		const { payer: account, deposit, reserve, spent } = channel;
		const routers = now.routers.map(({ node, operator, gateway, price }) => {
			const { gross, claimed, bytes } = this.node(channel, node);
			const { subsidy, pay } = this.minted.get(node) ?? { subsidy: 0n, pay: 0n };
			if (bytes >= 2n ** 53n) throw new Error(`${node}: ${bytes} bytes do not fit into a JSON number`);
			const is = { node_id: node, operator, validator: now.validators.has(operator), gateway, price };
			const got = { gross, claimed, subsidy, validator_pay: pay, earned: claimed + subsidy + pay };
			const did = { fees: this.account(operator).fees, blocks_authored: this.authored.get(operator) ?? 0 };
			return { ...is, relayed_bytes: Number(bytes), ...got, ...did, balance: balance(operator) };
		});
		const refundable = () => (channel.finished ? 0n : deposit + reserve - spent);
		const rest = account && { refundable: refundable(), fees: this.account(account).fees, balance: balance(account) };
		const ledger = {
			...head,
			routers: routers.sort((a, b) => (a.node_id < b.node_id ? -1 : 1)),
			payer: account ? { account, deposit, reserve, spent, ...rest } : null,
			burned: channel.burned,
			treasury: channel.treasury,
			treasury_balance: { genesis: has(genesis, this.treasury), now: has(now, this.treasury) },
			issuance: { genesis: genesis.issuance, ...this.total, now: now.issuance },
		};
		return JSON.parse(JSON.stringify(ledger, (_, value) => (typeof value === 'bigint' ? `${value}` : value)));
	}

	// All that is wrong with the ledger, and with every other account and channel.
	check(ledger, id, genesis, now) {
		const problems = [...this.problems];
		const same = (name, left, right) => BigInt(left) === BigInt(right) || problems.push(`${name}: ${left} ≠ ${right}`);
		if (ledger.payer) {
			const channel = this.channels.get(id);
			// Over all routers that were paid: one that has withdrawn is not in the ledger.
			const [gross, claimed] = ['gross', 'claimed'].map((key) => sum([...channel.nodes.values()].map((of) => of[key])));
			const { spent, deposit, reserve, refundable } = ledger.payer;
			same('payer: spent = Σ gross', spent, gross);
			same('payer: spent = Σ claimed + burned + treasury', spent, sum([claimed, ledger.burned, ledger.treasury]));
			const back = channel.finished ? 'what Finished gave back and burned' : 'refundable';
			same(`payer: deposit + reserve = spent + ${back}`, sum([deposit, reserve]), sum([spent, refundable, channel.returned]));
		}
		const due = new Map();
		const open = [...this.channels.values()].filter(({ finished }) => !finished);
		for (const { funds } of open) for (const [who, amount] of funds) grow(due, who, amount);
		const operators = ledger.routers.map(({ operator }) => [operator, 'operator']);
		const roles = new Map([...operators, [ledger.payer?.account, 'payer'], [this.treasury, 'treasury']]);
		for (const who of new Set([...genesis.accounts.keys(), ...now.accounts.keys(), ...this.accounts.keys()])) {
			const { earned, fees, spent, moved } = this.account(who);
			const name = `${roles.get(who) ?? 'account'} ${who}`;
			const income = who === this.treasury ? 'all treasury parts + all fees' : 'earned';
			const terms = `genesis + ${income} - spent - fees${moved ? ' + transfers, dust, vouches' : ''}`;
			same(`${name}: free + held = ${terms}`, has(now, who), has(genesis, who) + earned - spent - fees + moved);
			same(`${name}: held for channels = refundable`, now.channelHolds.get(who) ?? 0n, due.get(who) ?? 0n);
		}
		const everyone = (state) => sum([...state.accounts.keys()].map((who) => has(state, who)));
		const { minted, burned } = this.total;
		same('issuance: genesis + minted - burned = now', genesis.issuance + minted - burned, now.issuance);
		same('issuance: Σ accounts at genesis = genesis', everyone(genesis), genesis.issuance);
		same('issuance: Σ accounts = now', everyone(now), now.issuance);
		same('issuance: minted, by rewards = by balances', minted, this.issuance.minted);
		same('issuance: burned, by rewards = by balances', burned, this.issuance.burned);
		return problems;
	}
}
