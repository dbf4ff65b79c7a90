//! What may leave in a calendar month. Counted ahead: the file says more than has passed, never less, also after a power cut.

use std::{
	fs::{File, OpenOptions},
	io::Write,
	os::unix::fs::OpenOptionsExt,
	path::Path,
	sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};

/// The file says so much more than has passed at most: after a power cut that is lost to the payers.
const STEP: u64 = 16 << 20;
/// But not more than this part of the cap ...
const STEP_PART: u64 = 1000;
/// ... and never less than what a few datagrams need.
const LEAST_STEP: u64 = 64 << 10;

/// A calendar month of UTC, counted from the year 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(u32);

impl Month {
	/// The month of a time in seconds since 1970.
	pub fn of(unix: u64) -> Self {
		// Days are counted from a first of March, so that the leap day is the last one of its year.
		let days = unix / 86_400 + 719_468;
		let (era, day) = (days / 146_097, days % 146_097);
		let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
		let day = day - (365 * year + year / 4 - year / 100);
		let march = (5 * day + 2) / 153;
		let months = (era * 400 + year) * 12 + march + 2;
		Self(months.min(u64::from(u32::MAX)) as u32)
	}

	fn parse(text: &str) -> Option<Self> {
		let (year, month) = text.split_once('-')?;
		let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
		(1..=12).contains(&month).then_some(())?;
		Some(Self(year.checked_mul(12)?.checked_add(month - 1)?))
	}
}

impl std::fmt::Display for Month {
	fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(out, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
	}
}

/// What is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Note {
	/// Of this month.
	pub month: Month,
	/// Not more than this has passed.
	pub ceiling: u64,
}

impl Note {
	/// Reads a file; one that is not there says nothing.
	pub fn read(path: &Path) -> Result<Self> {
		let text = match std::fs::read_to_string(path) {
			Ok(text) => text,
			Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
			Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
		};
		let note = text
			.split_once(' ')
			.and_then(|(month, bytes)| Some(Self { month: Month::parse(month)?, ceiling: bytes.trim().parse().ok()? }));
		note.with_context(|| {
			format!(
				"{} is damaged; what this month has used is not known. Write a line like \"2026-11 123456\" into it (month and bytes), or remove it to count from nothing",
				path.display()
			)
		})
	}

	/// Puts it in the file's place, all or nothing.
	pub fn write(&self, path: &Path) -> Result<()> {
		// At a clean end the agent writes while the last note may still be on its way.
		static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
		let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
		let beside = path.with_extension("new");
		let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
		writeln!(file, "{} {}", self.month, self.ceiling)?;
		file.sync_all()?;
		std::fs::rename(&beside, path)?;
		if let Some(folder) = path.parent() {
			File::open(folder)?.sync_all()?;
		}
		Ok(())
	}
}

/// The count.
#[derive(Clone, Debug)]
pub struct Count {
	cap: u64,
	month: Month,
	used: u64,
	/// As on disk.
	noted: u64,
	warned: u64,
}

impl Count {
	/// Goes on where a file says.
	pub fn new(cap: u64, note: Note) -> Self {
		Self { cap, month: note.month, used: note.ceiling, noted: note.ceiling, warned: 0 }
	}

	fn step(&self) -> u64 {
		STEP.min(self.cap / STEP_PART).max(LEAST_STEP)
	}

	/// It is this month now. A clock that goes back does not bring an old month back.
	pub fn turn(&mut self, month: Month) {
		if month > self.month {
			*self = Self { month, used: 0, noted: 0, warned: 0, cap: self.cap };
		}
	}

	/// How much may pass before the next note is on disk.
	pub fn open(&self) -> u64 {
		self.noted - self.used
	}

	/// So much passed.
	pub fn passed(&mut self, bytes: u64) {
		self.used = self.used.saturating_add(bytes).min(self.noted);
	}

	/// What should be written now.
	pub fn wanted(&self) -> Option<Note> {
		let step = self.step();
		(self.open() < step.div_ceil(2)).then(|| Note { month: self.month, ceiling: self.used.saturating_add(step) })
	}

	/// What to write at the end, when nothing passes any more.
	pub fn last(&self) -> Note {
		Note { month: self.month, ceiling: self.used }
	}

	/// It is on disk.
	pub fn noted(&mut self, note: Note) {
		if note.month == self.month {
			self.noted = self.noted.max(note.ceiling);
		}
	}

	/// Whether new flows are refused.
	pub fn is_full(&self) -> bool {
		self.used >= self.cap
	}

	/// A percentage of the cap that was reached just now.
	pub fn warning(&mut self) -> Option<u64> {
		let percent = self.percent();
		let reached = [100, 95, 80].into_iter().find(|mark| percent >= *mark)?;
		(reached > self.warned).then(|| {
			self.warned = reached;
			reached
		})
	}

	/// Of the cap.
	pub fn percent(&self) -> u64 {
		(u128::from(self.used) * 100 / u128::from(self.cap.max(1))) as u64
	}

	/// Month, bytes used, cap.
	pub fn facts(&self) -> (Month, u64, u64) {
		(self.month, self.used, self.cap)
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;

	#[test]
	fn months_are_those_of_the_calendar() {
		for (unix, month) in [
			(0, "1970-01"),
			(951_782_399, "2000-02"),
			(951_782_400, "2000-02"),
			(951_868_799, "2000-02"),
			(951_868_800, "2000-03"),
			(1_796_083_199, "2026-11"),
			(1_796_083_200, "2026-12"),
			(1_798_761_599, "2026-12"),
			(1_798_761_600, "2027-01"),
			(4_107_542_399, "2100-02"),
			(4_107_542_400, "2100-03"),
		] {
			assert_eq!(Month::of(unix).to_string(), month, "{unix}");
			assert_eq!(Month::parse(month), Some(Month::of(unix)));
		}
	}

	#[test]
	fn warnings_come_once_each_and_the_next_month_begins_anew() {
		let mut count = Count::new(1000, Note { month: Month(5), ceiling: 0 });
		let mut told = Vec::new();
		for _ in 0..1000 {
			count.wanted().iter().for_each(|note| count.noted(*note));
			count.passed(1);
			told.extend(count.warning().map(|percent| (count.used, percent)));
		}
		assert_eq!(told, [(800, 80), (950, 95), (1000, 100)]);
		assert!(count.is_full());
		count.turn(Month(4));
		assert!(count.is_full(), "a clock that goes back gives nothing back");
		count.turn(Month(6));
		assert!(!count.is_full() && count.open() == 0);
	}

	#[test]
	fn a_file_is_read_as_it_was_written_and_a_damaged_one_is_named() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("gateway.month");
		assert_eq!(Note::read(&path).unwrap(), Note::default());
		let note = Note { month: Month(2026 * 12 + 10), ceiling: u64::MAX };
		note.write(&path).unwrap();
		assert_eq!(std::fs::read_to_string(&path).unwrap(), "2026-11 18446744073709551615\n");
		assert_eq!(Note::read(&path).unwrap(), note);
		for bad in ["", "2026-13 5", "2026-11", "2026-11 -1"] {
			std::fs::write(&path, bad).unwrap();
			assert!(format!("{:#}", Note::read(&path).unwrap_err()).contains("gateway.month"), "{bad}");
		}
	}

	#[test]
	fn two_notes_at_once_leave_one_of_them_and_no_mixture() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("gateway.month");
		let notes = [7, u64::MAX].map(|ceiling| Note { month: Month(2026 * 12), ceiling });
		for _ in 0..50 {
			std::thread::scope(|scope| {
				let writers = notes.map(|note| {
					scope.spawn({
						let path = &path;
						move || note.write(path)
					})
				});
				writers.into_iter().for_each(|writer| writer.join().unwrap().unwrap());
			});
			assert!(notes.contains(&Note::read(&path).unwrap()));
		}
	}

	proptest! {
		/// Whatever passes, whenever the power goes: what the file said then is not less than what had passed.
		#[test]
		fn a_power_cut_never_makes_it_less(
			cap in 1u64..10_000_000_000,
			moves in proptest::collection::vec((any::<u32>(), any::<bool>(), 0u8..12), 1..100),
		) {
			let (mut disk, mut passed) = (Note { month: Month(7), ceiling: 0 }, 0u64);
			let mut count = Count::new(cap, disk);
			for (bytes, writes, luck) in moves {
				if let Some(note) = count.wanted().filter(|_| writes) {
					disk = note;
					if luck > 0 {
						count.noted(note);
					}
				}
				let now = u64::from(bytes).min(count.open());
				count.passed(now);
				passed += now;
				prop_assert!(disk.ceiling >= passed);
				prop_assert!(disk.ceiling - count.used <= STEP);
				if luck == 1 {
					count = Count::new(cap, disk);
				}
			}
		}
	}
}
