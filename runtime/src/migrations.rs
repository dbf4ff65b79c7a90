//! What the next upgrade does to the state, once, in its first block: docs/upgrades.md says how to write and rehearse it.
//!
//! A migration stays here until every network has run it, and may run again without doing anything: it looks at its
//! pallet's storage version on chain. The chain stands still while it runs, so it visits what a constant bounds, in less
//! than a block's weight.

/// In this order, before the pallets' own.
pub type Migrations = ();
