//! Who has which port and host, kept in `--state-dir`: whoever was first stays first when the agent starts anew. A line is a
//! claim as it stands from then on; what cannot be written is logged, and nothing waits for it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sealgate_model::line::ClaimLine;
use sealgate_model::resolve::{Claim, Claims, Tenure};
use thiserror::Error;

use crate::private;

const FILE: &str = "claims.jsonl";
/// Lines beyond twice those that are needed, before the file is written anew.
const SPARE: usize = 1000;

/// The state cannot be kept.
#[derive(Debug, Error)]
#[error("{}: {error}", .path.display())]
pub struct StateError {
    /// What cannot be read or written.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// See the module.
#[derive(Debug)]
pub struct ClaimLog {
    path: PathBuf,
    file: File,
    claims: Claims,
    lines: usize,
    /// Whether the last write failed, which is said once.
    failing: bool,
}

impl ClaimLog {
    /// Reads what stands in a folder, which is made if it is not there, and goes on from there.
    ///
    /// # Errors
    /// The folder cannot be made, or the file in it neither be read nor written.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| StateError { path, error }
        };
        private::folder(folder).map_err(at(folder))?;
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(at(&path)(error)),
        };
        let claims = read(&text, &path);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(private::FILE)
            .open(&path)
            .map_err(at(&path))?;
        let mut log = Self {
            lines: usize::MAX / 2,
            path,
            file,
            claims,
            failing: false,
        };
        let written = log.rewrite();
        log.heed(written);
        Ok(log)
    }

    /// The claims as they stand.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Writes claims that stand otherwise now.
    pub fn note(&mut self, changes: BTreeMap<Claim, Option<Tenure>>) {
        let mut text = Vec::new();
        let mut lines = 0;
        for (claim, tenure) in changes {
            if self.claims.get(&claim) == tenure.as_ref() {
                continue;
            }
            lines += usize::from(put(&mut text, &ClaimLine::new(&claim, tenure.as_ref())).is_ok());
            match tenure {
                Some(tenure) => drop(self.claims.insert(claim, tenure)),
                None => drop(self.claims.remove(&claim)),
            }
        }
        if lines == 0 {
            return;
        }
        self.lines = self.lines.saturating_add(lines);
        // After a failed write the file may end in half a line.
        let is_long = self.failing || self.lines > 2 * self.claims.len() + SPARE;
        let written = if is_long {
            self.rewrite()
        } else {
            self.file.write_all(&text)
        };
        self.heed(written);
    }

    /// Writes all of it beside the file, and puts it in its place.
    fn rewrite(&mut self) -> io::Result<()> {
        let beside = self.path.with_extension("new");
        let written = self.write_to(&beside);
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        self.file = written?;
        self.lines = self.claims.len();
        Ok(())
    }

    fn write_to(&self, beside: &Path) -> io::Result<File> {
        let mut file = BufWriter::new(private::file(beside)?);
        for (claim, tenure) in &self.claims {
            put(&mut file, &ClaimLine::new(claim, Some(tenure)))?;
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(beside, &self.path)?;
        OpenOptions::new().append(true).open(&self.path)
    }

    fn heed(&mut self, written: io::Result<()>) {
        if let Err(error) = &written
            && !self.failing
        {
            tracing::error!(path = %self.path.display(), %error, "cannot store claims: after a restart, the oldest \
                object wins");
        }
        self.failing = written.is_err();
    }
}

fn put(to: &mut impl io::Write, line: &ClaimLine) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

/// The last word on each claim. A line that cannot be read, such as the last one after a crash, says nothing.
fn read(text: &str, path: &Path) -> Claims {
    let mut claims = Claims::new();
    for (at, line) in text.lines().enumerate() {
        let read = serde_json::from_str::<ClaimLine>(line)
            .ok()
            .and_then(ClaimLine::claim);
        match read {
            Some((claim, Some(tenure))) => drop(claims.insert(claim, tenure)),
            Some((claim, None)) => drop(claims.remove(&claim)),
            None => {
                tracing::warn!(path = %path.display(), line = at + 1, "ignoring a line that is not a claim")
            }
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sealgate_model::resolve::Claimant;

    use super::*;

    fn of(namespace: &str, name: Option<&str>) -> Tenure {
        Tenure::Of(Claimant {
            namespace: namespace.into(),
            name: name.map(Arc::from),
        })
    }

    fn all() -> Claims {
        Claims::from([
            (Claim::Port(443), Tenure::Tls),
            (Claim::Port(80), Tenure::Plain),
            (Claim::Port(9000), Tenure::Tcp),
            (Claim::Host(443, "*.a.test".into()), of("team-a", Some("shop"))),
            (Claim::Host(80, "a.test".into()), of("team-a", None)),
            (Claim::Routes(80, "a.test".into()), of("team-b", None)),
            (Claim::Service("api.example".into()), of("team-a", Some("entry"))),
        ])
    }

    fn changes(claims: &Claims) -> BTreeMap<Claim, Option<Tenure>> {
        claims
            .iter()
            .map(|(claim, tenure)| (claim.clone(), Some(tenure.clone())))
            .collect()
    }

    #[test]
    fn what_is_noted_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep");
        let mut log = ClaimLog::open(&path).unwrap();
        assert!(log.claims().is_empty());
        log.note(changes(&all()));
        let gone = Claim::Host(80, "a.test".into());
        log.note(BTreeMap::from([(gone.clone(), None)]));
        let mut expected = all();
        expected.remove(&gone);
        for _ in 0..2 {
            assert_eq!(ClaimLog::open(&path).unwrap().claims(), &expected);
        }
    }

    #[test]
    fn half_a_line_and_nonsense_cost_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        ClaimLog::open(folder.path()).unwrap().note(changes(&all()));
        let path = folder.path().join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        bytes
            .extend(b"\xff\n{}\n{\"what\":\"port\",\"port\":1,\"namespace\":\"a\"}\n{\"what\":\"port\",\"po");
        fs::write(&path, bytes).unwrap();
        assert_eq!(ClaimLog::open(folder.path()).unwrap().claims(), &all());
        assert!(
            !fs::read_to_string(&path).unwrap().contains('\u{fffd}'),
            "it is written anew"
        );
    }

    #[test]
    fn it_does_not_grow_without_end_and_says_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = ClaimLog::open(folder.path()).unwrap();
        for at in 0..20_000_u16 {
            let namespace = format!("n{}", at % 7);
            log.note(BTreeMap::from([(
                Claim::Host(443, "a.test".into()),
                Some(of(&namespace, None)),
            )]));
        }
        let lines = || {
            fs::read_to_string(folder.path().join(FILE))
                .unwrap()
                .lines()
                .count()
        };
        assert!(lines() <= SPARE + 3, "{}", lines());
        let before = lines();
        log.note(changes(log.claims()));
        assert_eq!(lines(), before);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = ClaimLog::open(&file.join("state")).unwrap_err().to_string();
        assert!(error.contains("file/state"), "{error}");
    }
}
