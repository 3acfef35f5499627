//! Nothing that a release has stored is lost: a record that is read and written again has all that it
//! had, and a folder of a release that is out stays as it is.

use std::collections::BTreeSet;
use std::fs;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{RELEASE, folder, read, releases};

/// The releases that are out, and the digests of their folders: see [`digest`].
const RELEASED: [(&str, &str); 2] = [
    ("0.1.0", "b0b1b644ab1fc82c0f7701319d76f3c646082352a852f0967fbda1beb40b3044"),
    ("0.2.0", "d1663eafe493c453b954f115e4452c76addffbb0fa11adf9bde199890c8097f3"),
];

/// What an item has for the table alone: its key, its place in the index of what is due, its expiry.
const OF_THE_TABLE: [&str; 5] = ["pk", "sk", "due", "dueAt", "expiresAt"];

/// What is meant to change when a record is written again, by the release that stored it, and why. What
/// it means stays, see `what_the_first_release_wrote_means_the_same_today`.
const MEANT_TO_CHANGE: [(&str, &str, &str); 3] = [
    (
        "0.1.0",
        "drift/differences/*/part",
        "the facet stood there, which has a field of its own now",
    ),
    ("0.1.0", "repaired/differences", "they are recognised by their digest now"),
    ("0.1.0", "etag", "it is `versionTag` now, and has no quotes"),
];

/// Notes the paths of all that `stored` has and `written` has not, or has otherwise. Places in a list
/// are all `*`.
fn note_lost(written: Option<&Value>, stored: &Value, path: &str, lost: &mut BTreeSet<String>) {
    match (written, stored) {
        (Some(Value::Object(written)), Value::Object(stored)) => {
            for (name, value) in stored {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                note_lost(written.get(name), value, &path, lost);
            }
        }
        (Some(Value::Array(written)), Value::Array(stored)) if written.len() == stored.len() => {
            for (written, stored) in written.iter().zip(stored) {
                note_lost(Some(written), stored, &format!("{path}/*"), lost);
            }
        }
        (Some(written), stored) if written == stored || is_same_moment(written, stored) => {}
        // A list is as good as empty where it is not there.
        (None, Value::Array(stored)) if stored.is_empty() => {}
        _ => {
            lost.insert(path.to_owned());
        }
    }
}

/// Whether two texts are one moment, with more or fewer digits.
fn is_same_moment(one: &Value, other: &Value) -> bool {
    let moment = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    moment(one).is_some_and(|moment_of_one| moment(other) == Some(moment_of_one))
}

#[test]
fn what_any_release_stored_is_written_again_as_it_was() {
    let mut changed = BTreeSet::new();
    for (release, files) in releases().unwrap() {
        for (name, stored) in files {
            let written = read(&name, &stored).unwrap();
            let mut lost = BTreeSet::new();
            note_lost(Some(&written), &stored, "", &mut lost);
            lost.retain(|path| !OF_THE_TABLE.contains(&path.as_str()));
            for path in lost {
                let is_meant =
                    MEANT_TO_CHANGE.iter().any(|it| (it.0, it.1) == (&release, path.as_str()));
                assert!(is_meant, "{release} {name}: {path} is lost or changed: {written:#}");
                changed.insert((release.clone(), path));
            }
        }
    }
    let meant = MEANT_TO_CHANGE.map(|(release, path, _)| (release.to_owned(), path.to_owned()));
    assert_eq!(changed, meant.into(), "what is meant to change does");
}

/// The digest of a release's folder: of the name, the size and the text of each file, by their names.
fn digest(release: &str) -> String {
    let files = fs::read_dir(folder().join(release)).unwrap().map(|file| file.unwrap().path());
    let files: BTreeSet<_> = files.collect();
    let mut digest = Sha256::new();
    for file in files {
        let text = fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        digest.update(format!("{name} {}\n", text.len()));
        digest.update(text);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_folders_of_releases_that_are_out_stay_as_they_are() {
    let mut folders: BTreeSet<_> = releases().unwrap().into_keys().collect();
    assert!(folders.remove(RELEASE), "{RELEASE} has no folder; see its README.md");
    for release in &folders {
        let sealed = RELEASED.iter().find(|(released, _)| released == release);
        let found = digest(release);
        let sealed = sealed.map(|(_, digest)| *digest);
        assert_eq!(sealed, Some(found.as_str()), "{release} is out: nothing changes in its folder");
    }
    let released = RELEASED.map(|(release, _)| release.to_owned());
    assert_eq!(folders, released.into(), "a release has no folder any more");
}
