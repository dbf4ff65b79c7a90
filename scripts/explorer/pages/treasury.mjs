// Treasury.

import { must } from '../calls.mjs';

function treasuryAccount(api) {
	const raw = new Uint8Array(32);
	raw.set([...new TextEncoder().encode('modl'), ...api.consts.treasury.palletId.toU8a(true)]);
	return api.registry.createType('AccountId', raw);
}

export async function treasury(ask, chain) {
	const { api } = chain;
	const pot = treasuryAccount(api);
	await ask.each([
		['query.treasury.proposals is there', () => typeof api.query.treasury?.proposals, (type) => type === 'function'],
		['derive.treasury.proposals', () => api.derive.treasury.proposals(), ({ approvals, proposals }) => approvals.length + proposals.length === 0],
		['derive.balances.account of the treasury', () => api.derive.balances.account(pot), ({ freeBalance }) => !freeBalance.isZero()],
		['query.treasury.proposalCount', () => api.query.treasury.proposalCount()],
		['query.treasury.approvals', () => api.query.treasury.approvals()],
		['query.treasury.spendCount', () => api.query.treasury.spendCount()],
		['query.treasury.spends.entries', () => api.query.treasury.spends.entries()],
		['query.treasury.deactivated', () => api.query.treasury.deactivated()],
		['query.treasury.lastSpendPeriod', () => api.query.treasury.lastSpendPeriod()],
		['consts.treasury.palletId', () => api.consts.treasury.palletId.toUtf8(), (id) => id === 'towpath/'],
		['consts.treasury.spendPeriod', () => api.consts.treasury.spendPeriod, (blocks) => !blocks.isZero()],
		['consts.treasury.burn', () => api.consts.treasury.burn, (burn) => burn.isZero()],
		['consts.treasury.payoutPeriod', () => api.consts.treasury.payoutPeriod, (blocks) => !blocks.isZero()],
		['consts.treasury.potAccount', () => api.consts.treasury.potAccount, (account) => account === undefined || account.eq(pot)],
	]);
}

// Somebody else than the beneficiary draws a spend that a referendum decided.
export async function payout(ask, chain, { builder, amount, spent }) {
	const { api, eve } = chain;
	await ask('query.treasury.spends, before', () => api.query.treasury.spends(spent), (spend) => {
		const { amount: due, beneficiary, status } = spend.unwrap();
		return due.toBigInt() === amount && beneficiary.eq(builder) && status.isPending;
	});
	await ask('tx.treasury.payout', () => chain.send(eve, api.tx.treasury.payout(spent)), (sent) => {
		const { from, to, amount: moved } = chain.only(sent, 'balances', 'Transfer');
		must(from.eq(treasuryAccount(api)) && to.eq(builder) && moved.toBigInt() === amount, 'not the treasury\'s transfer to the builder');
		return Boolean(chain.only(sent, 'treasury', 'Paid'));
	});
	await ask('the payout arrived, to the unit', () => chain.account(builder), ({ free, held }) => free === amount && held === 0n);
	await ask('tx.treasury.payout again: treasury.AlreadyAttempted', () => chain.submit(eve, api.tx.treasury.payout(spent)), ({ error }) =>
		error?.name === 'AlreadyAttempted' && error.docs.length > 0);
	await ask('tx.treasury.checkStatus', () => chain.send(eve, api.tx.treasury.checkStatus(spent)), (sent) =>
		chain.only(sent, 'treasury', 'SpendProcessed').index.eq(spent));
}
