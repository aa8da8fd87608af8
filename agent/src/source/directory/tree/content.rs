//! What the files of a unit hold.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use sealgate_model::manifest::{self, Namespaces, is_name, refused};
use sealgate_model::{Code, Finding, Kind, Meta, Object, ObjectRef, SecretObject, Severity, SourceObject};
use zeroize::Zeroizing;

use super::{PEM_FILES, file_name, is_loop, is_pem};

const LARGEST_MANIFEST: u64 = 8 * 1024 * 1024;
const LARGEST_PEM: u64 = 1024 * 1024;

/// The objects of a file of manifests.
pub(super) fn manifests(path: &Path, file: ObjectRef, namespaces: &Namespaces) -> Vec<SourceObject> {
    match read_file(path, LARGEST_MANIFEST) {
        Ok(bytes) => manifest::read(&file.name, &bytes, namespaces),
        Err(error) => {
            let (code, message) = error.said();
            vec![refused(file, code, None, message)]
        }
    }
}

/// The Secret that a folder of PEM files is.
pub(super) fn secret(folder: &Path, file: ObjectRef, namespace: &str) -> SourceObject {
    let name = file_name(folder).unwrap_or_default().to_owned();
    if !is_name(&name) {
        let message = format!("{name:?} cannot be a Secret's name: lower-case letters, digits, `-` and `.`");
        return refused(file, Code::InvalidObject, None, message);
    }
    let object_ref = ObjectRef::new(Kind::Secret, namespace, name.as_str());
    let meta = Meta {
        namespace: Arc::clone(&object_ref.namespace),
        name: Arc::clone(&object_ref.name),
        ..Meta::default()
    };
    let mut secret = SecretObject {
        meta,
        type_: "Opaque".to_owned(),
        data: BTreeMap::new(),
    };
    let files = PEM_FILES.map(|key| (key, folder.join(key)));
    for (key, path) in files.into_iter().filter(|(_, path)| is_pem(path)) {
        match read_file(&path, LARGEST_PEM) {
            Ok(bytes) => drop(secret.data.insert(key.to_owned(), bytes)),
            Err(Unread::Missing) => {}
            Err(error) => {
                let (code, message) = error.said();
                return refused(object_ref, code, Some(&format!("data[{key}]")), message);
            }
        }
    }
    SourceObject {
        object_ref,
        object: Some(Object::Secret(secret)),
        findings: Vec::new(),
    }
}

/// A key pair that does not become a Secret.
pub(super) fn unread(file: ObjectRef) -> SourceObject {
    let message = "this key and its certificate are ignored: a Secret needs tls.key and tls.crt, which can be links \
        to these files";
    SourceObject {
        object_ref: file.clone(),
        object: None,
        findings: vec![Finding {
            severity: Severity::Warning,
            code: Code::UnreadPair,
            object: file,
            field: None,
            message: message.to_owned(),
        }],
    }
}

/// Why a file was not read.
enum Unread {
    Missing,
    Refused(Code, String),
}

impl Unread {
    fn said(self) -> (Code, String) {
        match self {
            Self::Missing => (Code::Unreadable, "it does not exist".to_owned()),
            Self::Refused(code, message) => (code, message),
        }
    }
}

/// Never waits (a FIFO without a writer), never reads more than it may.
fn read_file(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ if is_loop(&error) => Unread::Refused(Code::LinkLoop, "symbolic links form a loop".to_owned()),
        _ => Unread::Refused(Code::Unreadable, error.to_string()),
    };
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Unread::Refused(
            Code::NotAFile,
            "neither a file nor a folder".to_owned(),
        ));
    }
    if metadata.len() > limit {
        return Err(Unread::Refused(
            Code::FileTooLarge,
            format!("{} bytes: the limit is {limit}", metadata.len()),
        ));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len()).unwrap_or(0) + 1,
    ));
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
