// Accounts: balances, locks and holds of an account, and everything that its menu signs.

import { must } from '../calls.mjs';
import { first } from '../chain.mjs';

export async function accounts(ask, { api, alice, unit }) {
	const { accounts: derive, balances, tx } = api.derive;
	const who = alice.address;
	const isAlice = ({ accountId }) => accountId.eq(who);
	await ask.each([
		['derive.accounts.info', () => derive.info(who), isAlice],
		['derive.accounts.flags', () => derive.flags(who), ({ isCouncil }) => isCouncil === false],
		['derive.accounts.idAndIndex', () => derive.idAndIndex(who), ([id]) => id.eq(who)],
		['derive.accounts.indexes', () => derive.indexes()],
		['derive.accounts.identity', () => derive.identity(who), ({ parent }) => parent === undefined],
		['derive.balances.account', () => balances.account(who), ({ freeBalance }) => !freeBalance.isZero()],
		['derive.balances.votingBalance', () => balances.votingBalance(who), ({ votingBalance }) => !votingBalance.isZero()],
		['derive.balances.votingBalances', () => balances.votingBalances([who, who]), (all) => all.length === 2],
		['derive.balances.all', () => balances.all(who), ({ availableBalance, reservedBalance }) => !availableBalance.isZero() && !reservedBalance.isZero()],
		['derive.tx.signingInfo', () => tx.signingInfo(who), ({ header, mortalLength }) => Boolean(header) && mortalLength > 0],
		['query.system.account', () => api.query.system.account(who), ({ data }) => data.free.toBigInt() > unit],
		['query.system.account (subscribed)', () => first((next) => api.query.system.account(who, next))],
		['query.system.account.multi', () => api.query.system.account.multi([who, who]), (all) => all.length === 2],
		['query.balances.account', () => api.query.balances.account(who)],
		['query.balances.locks', () => api.query.balances.locks(who)],
		['query.balances.holds', () => api.query.balances.holds(who), (holds) => holds.some(({ id }) => id.isNodeIdentity && id.asNodeIdentity.isRouterBond)],
		['query.balances.freezes', () => api.query.balances.freezes(who)],
		['query.balances.reserves', () => api.query.balances.reserves(who)],
		['query.proxy.proxies', () => api.query.proxy.proxies(who)],
		['query.proxy.announcements', () => api.query.proxy.announcements(who)],
		['query.multisig.multisigs.keys', () => api.query.multisig.multisigs.keys(who)],
		['consts.balances.existentialDeposit', () => api.consts.balances.existentialDeposit, (least) => !least.isZero()],
		['consts.proxy.proxyDepositBase', () => api.consts.proxy.proxyDepositBase, (deposit) => !deposit.isZero()],
		['consts.multisig.depositBase', () => api.consts.multisig.depositBase, (deposit) => !deposit.isZero()],
		['rpc.system.accountNextIndex', () => api.rpc.system.accountNextIndex(who)],
		['call.accountNonceApi.accountNonce', () => api.call.accountNonceApi.accountNonce(who)],
	]);
}

export async function wallet(ask, chain) {
	const { api, keyring, charlie, eve, unit } = chain;
	const [sender, newcomer] = [chain.stranger(), chain.stranger()];
	const amount = 10n * unit;

	// A transfer between two whom nobody else uses: what it is expected to cost, and what it costs, to the unit.
	await ask('tx.balances.transferKeepAlive to a new account', () => chain.send(charlie, api.tx.balances.transferKeepAlive(sender.address, 2n * amount)));
	const call = api.tx.balances.transferKeepAlive(newcomer.address, amount);
	const expected = await ask('paymentInfo (rpc.payment.queryInfo)', () => call.paymentInfo(sender), ({ partialFee }) => !partialFee.isZero());
	const signed = await call.signAsync(sender, { nonce: -1 });
	const { method } = signed;
	const [bytes, length] = [signed.toU8a(), signed.encodedLength];
	await ask.each([
		['call.transactionPaymentApi.queryInfo', () => api.call.transactionPaymentApi.queryInfo(bytes, length), ({ partialFee }) => partialFee.eq(expected.partialFee)],
		['call.transactionPaymentApi.queryFeeDetails', () => api.call.transactionPaymentApi.queryFeeDetails(bytes, length), ({ inclusionFee }) => inclusionFee.isSome],
		['call.transactionPaymentCallApi.queryCallInfo', () => api.call.transactionPaymentCallApi.queryCallInfo(method, length)],
		['rpc.payment.queryFeeDetails', () => api.rpc.payment.queryFeeDetails(signed.toHex())],
	]);
	const before = await chain.account(sender.address);
	const sent = await ask('tx.balances.transferKeepAlive, signed and sent', () => chain.send(sender, call));
	await ask('the transfer\'s amount and fee, to the unit', async () => {
		const fee = chain.only(sent, 'transactionPayment', 'TransactionFeePaid').actualFee.toBigInt();
		must(fee > 0n && fee <= expected.partialFee.toBigInt(), `a fee of ${fee}, expected at most ${expected.partialFee}`);
		const [after, found] = [await chain.account(sender.address), await chain.account(newcomer.address)];
		must(found.free === amount && found.held === 0n, `${found.free} arrived instead of ${amount}`);
		must(after.free === before.free - amount - fee, `the sender has ${after.free}, had ${before.free}, and paid a fee of ${fee}`);
	});

	// As a browser extension signs: the page gives it a payload in JSON and gets a signature back.
	const signer = {
		signPayload: async (payload) => {
			const extrinsic = api.registry.createType('ExtrinsicPayload', payload, { version: payload.version });
			return { id: 1, ...extrinsic.sign(newcomer) };
		},
	};
	const remark = api.tx.system.remarkWithEvent('signed outside of the page');
	await ask('tx.system.remarkWithEvent, signed by an extension', () => chain.send(newcomer, remark, { signer }), (result) =>
		chain.only(result, 'system', 'Remarked').sender.eq(newcomer.address));

	await ask('tx.balances.transferAllowDeath', () => chain.send(newcomer, api.tx.balances.transferAllowDeath(eve.address, unit)));
	await ask('tx.balances.transferKeepAlive with all: an error by its name', () =>
		chain.submit(newcomer, api.tx.balances.transferKeepAlive(eve.address, 1_000_000n * unit)), ({ error }) => Boolean(error));
	await ask('tx.utility.batchAll', () => chain.send(newcomer, api.tx.utility.batchAll([api.tx.system.remark('a'), api.tx.system.remark('b')])), (result) =>
		result.events.filter(({ method }) => method === 'ItemCompleted').length === 2);

	// Proxies.
	const proxies = () => api.query.proxy.proxies(newcomer.address);
	await ask('tx.proxy.addProxy', () => chain.send(newcomer, api.tx.proxy.addProxy(charlie.address, 'Governance', 0)));
	await ask('query.proxy.proxies of somebody who has one', proxies, ([list, deposit]) =>
		list.length === 1 && list[0].proxyType.isGovernance && !deposit.isZero());
	const asProxy = api.tx.proxy.proxy(newcomer.address, null, api.tx.utility.batch([]));
	await ask('tx.proxy.proxy', () => chain.send(charlie, asProxy), (result) => chain.only(result, 'proxy', 'ProxyExecuted').result.isOk);
	await ask('tx.proxy.removeProxies', () => chain.send(newcomer, api.tx.proxy.removeProxies()));

	// A multisig of two: one approves, and takes it back.
	const others = [eve.address];
	const hash = api.tx.system.remark('both of us').method.hash;
	const { createKeyMulti } = await import('@polkadot/util-crypto');
	const multi = keyring.encodeAddress(createKeyMulti([newcomer.address, eve.address], 2));
	const weight = { refTime: 1_000_000_000, proofSize: 0 };
	await ask('tx.multisig.approveAsMulti', () => chain.send(newcomer, api.tx.multisig.approveAsMulti(2, others, null, hash, weight)));
	const [[, open]] = await ask('query.multisig.multisigs.entries', () => api.query.multisig.multisigs.entries(multi), (entries) => entries.length === 1);
	await ask('tx.multisig.cancelAsMulti', () => chain.send(newcomer, api.tx.multisig.cancelAsMulti(2, others, open.unwrap().when, hash)));

	await ask('tx.balances.transferAll', () => chain.send(newcomer, api.tx.balances.transferAll(charlie.address, false)));
	await ask('an emptied account is gone', () => chain.account(newcomer.address), ({ free, held }) => free === 0n && held === 0n);
}
