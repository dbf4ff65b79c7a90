//! Secrets on disk: made at the first start, readable by their owner alone, never shown unless asked for.

use std::{
	fs::{File, OpenOptions},
	io::{Read, Write},
	os::unix::fs::{OpenOptionsExt, PermissionsExt},
	path::{Path, PathBuf},
};

use anyhow::{bail, ensure, Context, Result};
use subxt_signer::{sr25519::Keypair, SecretUri};
use towpath_primitives::NodeId;
use towpath_proto::crypto::{Crypto, RustCrypto};

/// The secrets of one agent.
#[derive(Clone)]
pub struct Keys {
	/// The ed25519 seed behind the node id.
	pub node: [u8; 32],
	/// The ed25519 seed that signs receipts.
	pub receipts: [u8; 32],
	/// The sr25519 seed of the account that pays and is paid.
	pub account: [u8; 32],
}

const NAMES: [&str; 3] = ["node", "receipts", "account"];

/// Random bytes from the operating system.
pub fn random() -> Result<[u8; 32]> {
	let mut bytes = [0; 32];
	File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).context("no randomness")?;
	Ok(bytes)
}

impl Keys {
	/// Reads the keys in this folder, making what is missing.
	pub fn load_or_create(folder: &Path) -> Result<Self> {
		std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
		let mut seeds = [[0; 32]; 3];
		for (seed, name) in seeds.iter_mut().zip(NAMES) {
			let path = path(folder, name);
			*seed = match path.exists() {
				true => read(&path)?,
				false => {
					let seed = random()?;
					write(&path, &seed)?;
					seed
				}
			};
		}
		let [node, receipts, account] = seeds;
		Ok(Self { node, receipts, account })
	}

	/// The node id.
	pub fn node_id(&self) -> NodeId {
		NodeId(RustCrypto.public_key(&self.node))
	}

	/// The public half of the receipt key.
	pub fn receipt_key(&self) -> [u8; 32] {
		RustCrypto.public_key(&self.receipts)
	}

	/// The key pair of the account.
	pub fn account(&self) -> Result<Keypair> {
		Keypair::from_secret_key(self.account).context("the account's seed is not usable")
	}

	/// One text with all secrets, to be kept in a safe place.
	pub fn backup(&self) -> String {
		let seeds = [self.node, self.receipts, self.account];
		let lines: Vec<_> =
			NAMES.iter().zip(seeds).map(|(name, seed)| format!("{name} = \"0x{}\"\n", hex::encode(seed))).collect();
		format!("# Towpath keys. Whoever has this text is this router and has its money.\n{}", lines.concat())
	}

	/// Writes the secrets of a backup into a folder that has none.
	///
	/// The receipt key is left out and made anew: a payer that comes back from an older disk must not sign for the same
	/// channel again, it opens a new one.
	pub fn restore(folder: &Path, backup: &str) -> Result<Self> {
		#[derive(serde::Deserialize)]
		#[serde(deny_unknown_fields)]
		struct Backup {
			node: String,
			#[allow(dead_code)]
			receipts: String,
			account: String,
		}
		let backup: Backup = toml::from_str(backup).context("this is not a backup of Towpath keys")?;
		for name in NAMES {
			ensure!(
				!path(folder, name).exists(),
				"{} exists: restore into an empty folder, so that no key is overwritten",
				path(folder, name).display()
			);
		}
		let (node, account) = (parse(&backup.node).context("node")?, parse(&backup.account).context("account")?);
		std::fs::create_dir_all(folder)?;
		write(&path(folder, "node"), &node)?;
		write(&path(folder, "account"), &account)?;
		Self::load_or_create(folder)
	}
}

fn path(folder: &Path, name: &str) -> PathBuf {
	folder.join(format!("{name}.key"))
}

fn parse(text: &str) -> Result<[u8; 32]> {
	let digits = text.trim().trim_start_matches("0x");
	let bytes = hex::decode(digits).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
	bytes.context("a key is 32 bytes in hexadecimal, for example 0x followed by 64 digits")
}

fn read(path: &Path) -> Result<[u8; 32]> {
	let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
	if mode & 0o077 != 0 {
		bail!("{} can be read by others (mode {mode:o}); run: chmod 600 {}", path.display(), path.display());
	}
	let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
	parse(&text).with_context(|| format!("{} is damaged", path.display()))
}

fn write(path: &Path, seed: &[u8; 32]) -> Result<()> {
	let mut file = OpenOptions::new()
		.create_new(true)
		.write(true)
		.mode(0o600)
		.open(path)
		.with_context(|| format!("cannot write {}", path.display()))?;
	writeln!(file, "0x{}", hex::encode(seed))?;
	file.sync_all()?;
	Ok(())
}

/// The key pair behind a secret URI: a seed in hexadecimal, a phrase, or a development name such as `//Alice`.
pub fn account_from_uri(uri: &str) -> Result<Keypair> {
	let uri: SecretUri = uri.parse().context("not a secret URI")?;
	Keypair::from_uri(&uri).context("not a secret URI")
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn keys_are_made_once_and_only_their_owner_can_read_them() {
		let folder = tempfile::tempdir().unwrap();
		let keys = Keys::load_or_create(folder.path()).unwrap();
		let again = Keys::load_or_create(folder.path()).unwrap();
		assert_eq!((keys.node, keys.receipts, keys.account), (again.node, again.receipts, again.account));
		let path = folder.path().join("node.key");
		assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
		std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
		let error = format!("{:#}", Keys::load_or_create(folder.path()).err().unwrap());
		assert!(error.contains("chmod 600"), "{error}");
	}

	#[test]
	fn a_backup_restores_node_and_account_but_never_a_receipt_key() {
		let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
		let keys = Keys::load_or_create(old.path()).unwrap();
		let restored = Keys::restore(new.path(), &keys.backup()).unwrap();
		assert_eq!((restored.node, restored.account), (keys.node, keys.account));
		assert_ne!(restored.receipts, keys.receipts);
		assert!(Keys::restore(new.path(), &keys.backup()).is_err(), "nothing is overwritten");
	}

	#[test]
	fn a_damaged_key_is_named() {
		let folder = tempfile::tempdir().unwrap();
		write(&folder.path().join("node.key"), &[1; 32]).unwrap();
		std::fs::write(folder.path().join("node.key"), "0x12").unwrap();
		let error = format!("{:#}", Keys::load_or_create(folder.path()).err().unwrap());
		assert!(error.contains("node.key is damaged"), "{error}");
	}
}
