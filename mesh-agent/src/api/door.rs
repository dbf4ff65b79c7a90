//! Who may come in: the owner, through the socket that is the owner's alone; on loopback, whoever has the token. A page in the
//! owner's browser may not, whatever it got hold of: browsers say which page asks, and under which name they found us.

use std::{
	fs::OpenOptions,
	io::{self, Write},
	net::SocketAddr,
	os::unix::fs::{OpenOptionsExt, PermissionsExt},
	path::Path,
};

use anyhow::{ensure, Context, Result};
use hyper::{
	body::Incoming,
	header::{HeaderMap, AUTHORIZATION, HOST, ORIGIN},
	Request, StatusCode,
};
use towpath_proto::crypto::equal;

use super::{FOREIGN, NO_TOKEN, TOKEN};
use crate::keys;

/// Why somebody stays outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
	/// For HTTP.
	pub status: StatusCode,
	/// For JSON-RPC.
	pub code: i32,
	/// In words.
	pub message: &'static str,
}

const PAGE: Refusal = Refusal {
	status: StatusCode::FORBIDDEN,
	code: FOREIGN,
	message: "web pages may not use this API: send no Origin header",
};
const NAME: Refusal = Refusal {
	status: StatusCode::FORBIDDEN,
	code: FOREIGN,
	message: "this API answers to the address in [api] listen alone: put that into the URL",
};
const STRANGER: Refusal = Refusal {
	status: StatusCode::UNAUTHORIZED,
	code: NO_TOKEN,
	message: "send the header \"Authorization: Bearer ...\" with the text of the file api.token in the agent's folder",
};

/// One way in.
#[derive(Clone, Debug)]
pub enum Door {
	/// The socket in the folder.
	Socket,
	/// A port of this machine.
	Loopback {
		/// Where it listens.
		address: SocketAddr,
		/// What callers have to know.
		token: String,
	},
}

impl Door {
	/// Whether this request may pass.
	pub fn admits(&self, request: &Request<Incoming>) -> Result<(), Refusal> {
		self.judge(request.headers(), request.uri().authority().map(|authority| authority.as_str()))
	}

	fn judge(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), Refusal> {
		// Nobody but browsers sends these.
		if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
			return Err(PAGE);
		}
		let Self::Loopback { address, token } = self else { return Ok(()) };
		let named = |name: &str| name == address.to_string() || name == format!("localhost:{}", address.port());
		let mut hosts = headers.get_all(HOST).iter();
		let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
		if !host.is_some_and(named) || authority.is_some_and(|authority| !named(authority)) {
			return Err(NAME);
		}
		let given = headers.get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
		let given = given.strip_prefix(b"Bearer ").unwrap_or_default();
		equal(given, token.as_bytes()).then_some(()).ok_or(STRANGER)
	}
}

/// The folder's token, made if there is none yet.
pub fn token(folder: &Path) -> Result<String> {
	let path = folder.join(TOKEN);
	let shown = path.display();
	match OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path) {
		Ok(mut file) => {
			let token = hex::encode(keys::random()?);
			writeln!(file, "{token}")
				.and_then(|()| file.sync_all())
				.with_context(|| format!("cannot write {shown}"))?;
			return Ok(token);
		}
		Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
		Err(error) => return Err(error).with_context(|| format!("cannot make {shown}")),
	}
	let mode = std::fs::metadata(&path)?.permissions().mode() & 0o777;
	ensure!(
		mode & 0o077 == 0,
		"{shown} can be read by others (mode {mode:o}): remove it, and the next start makes a new token"
	);
	let token = std::fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?.trim().to_owned();
	let whole = token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
	ensure!(whole, "{shown} is damaged: remove it, and the next start makes a new token");
	Ok(token)
}

#[cfg(test)]
mod tests {
	use hyper::header::HeaderValue;

	use super::*;

	fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
		let mut headers = HeaderMap::new();
		for (name, value) in pairs {
			headers.append(*name, HeaderValue::from_str(value).unwrap());
		}
		headers
	}

	#[test]
	fn only_who_has_the_token_and_says_our_name_comes_in_by_loopback() {
		let token = "ab".repeat(32);
		let door = Door::Loopback { address: "127.0.0.1:7780".parse().unwrap(), token: token.clone() };
		let judge = |pairs: &[(&'static str, &str)]| door.judge(&headers(pairs), None);
		let (right, name) = (format!("Bearer {token}"), ("host", "127.0.0.1:7780"));
		assert_eq!(judge(&[name, ("authorization", &right)]), Ok(()));
		assert_eq!(judge(&[("host", "localhost:7780"), ("authorization", &right)]), Ok(()));
		for wrong in [format!("Bearer {}", "ba".repeat(32)), token.clone(), right[..70].to_owned(), format!("{right}0")]
		{
			assert_eq!(judge(&[name, ("authorization", &wrong)]), Err(STRANGER), "{wrong}");
		}
		assert_eq!(judge(&[name]), Err(STRANGER));
		for other in ["rebound.example:7780", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:7780.example"] {
			assert_eq!(judge(&[("host", other), ("authorization", &right)]), Err(NAME), "{other}");
		}
		assert_eq!(judge(&[("authorization", &right)]), Err(NAME));
		assert_eq!(judge(&[name, name, ("authorization", &right)]), Err(NAME), "two names");
		let both = door.judge(&headers(&[name, ("authorization", &right)]), Some("rebound.example:7780"));
		assert_eq!(both, Err(NAME), "nor one in the request's first line");
	}

	#[test]
	fn no_web_page_comes_in_by_any_door() {
		let token = "ab".repeat(32);
		let right = format!("Bearer {token}");
		let loopback = Door::Loopback { address: "127.0.0.1:7780".parse().unwrap(), token };
		for door in [Door::Socket, loopback] {
			for page in [("origin", "http://127.0.0.1:7780"), ("origin", "null"), ("sec-fetch-site", "same-origin")] {
				let told = headers(&[("host", "127.0.0.1:7780"), ("authorization", &right), page]);
				assert_eq!(door.judge(&told, None), Err(PAGE), "{page:?}");
			}
		}
		assert_eq!(Door::Socket.judge(&headers(&[("host", "localhost")]), None), Ok(()));
	}

	#[test]
	fn a_token_is_made_once_for_the_owner_alone() {
		let folder = tempfile::tempdir().unwrap();
		let made = token(folder.path()).unwrap();
		assert_eq!((made.len(), token(folder.path()).unwrap()), (64, made));
		let path = folder.path().join(TOKEN);
		assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
		std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
		assert!(token(folder.path()).unwrap_err().to_string().contains("others"));
		std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
		std::fs::write(&path, "\n").unwrap();
		assert!(token(folder.path()).unwrap_err().to_string().contains("damaged"), "an empty token opens nothing");
	}
}
