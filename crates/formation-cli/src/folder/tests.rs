use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};

use zip::ZipArchive;

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// The names in an archive, with mode and content.
fn entries(archive: &Archive) -> BTreeMap<String, (u32, String)> {
    let mut archive = ZipArchive::new(Cursor::new(&archive.bytes)).unwrap();
    let all = 0..archive.len();
    let entry = |at| {
        let mut entry = archive.by_index(at).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (entry.name().unwrap().into_owned(), (entry.unix_mode().unwrap() & 0o7777, text))
    };
    all.map(entry).collect()
}

fn names(folder: &Path) -> Vec<String> {
    files(folder).unwrap().into_iter().map(|file| file.name).collect()
}

#[test]
fn all_files_are_in_but_what_is_named_and_what_no_function_needs() {
    let files = [
        ("index.mjs", "x"),
        (".env", "x"),
        (".hidden/file", "x"),
        (".gitignore", "dist\n"),
        ("dist/app.js", "x"),
        ("node_modules/a/index.js", "x"),
        (".git/HEAD", "x"),
        ("a/__pycache__/b.cpython.pyc", "x"),
        ("old.pyc", "x"),
        ("kept.pyc", "x"),
        (".DS_Store", "x"),
        ("tests/a.js", "x"),
        ("a/tests/a.js", "x"),
        (".formationignore", "/tests\n# a comment\n*.md\n!kept.pyc\n"),
        ("README.md", "x"),
    ];
    let expected = [
        ".env",
        ".formationignore",
        ".gitignore",
        ".hidden/file",
        "a/tests/a.js",
        "dist/app.js",
        "index.mjs",
        "kept.pyc",
        "node_modules/a/index.js",
    ];
    assert_eq!(names(folder(&files).path()), expected);
}

#[test]
fn files_are_in_the_order_of_their_bytes_with_one_of_two_modes() {
    let folder = folder(&[("b", "1"), ("a/z", "2"), ("a.txt", "3"), ("B", "4"), ("\u{e4}", "5")]);
    for (name, mode) in [("b", 0o700), ("B", 0o640), ("a.txt", 0o444), ("a/z", 0o654)] {
        let path = folder.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!(names(folder.path()), ["B", "a.txt", "a/z", "b", "\u{e4}"]);
    let found = entries(&zip(folder.path()).unwrap());
    let found: Vec<_> =
        found.iter().map(|(name, (mode, text))| (&**name, *mode, &**text)).collect();
    let expected = [
        ("B", 0o644, "4"),
        ("a.txt", 0o644, "3"),
        ("a/z", 0o755, "2"),
        ("b", 0o755, "1"),
        ("\u{e4}", 0o644, "5"),
    ];
    assert_eq!(found, expected);
}

/// A change of these bytes is an update of every function that is deployed from a folder: it belongs
/// into CHANGELOG.md.
#[test]
fn the_same_files_are_the_same_bytes() {
    // Words in an order that repeats itself in part, as code does.
    let words =
        ["const", "await", "event", "=>", "return", "(", ")", "{", "}", "\n", "'text'", "0x1f"];
    let mut state = 1_u32;
    let word = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        words[(state >> 20) as usize % words.len()]
    };
    let long: String = (0..50_000).map(word).collect();
    let files =
        [("index.mjs", long.as_str()), ("lib/empty", ""), ("bootstrap", "#!/bin/sh\nexit 0\n")];
    let one = folder(&files);
    let path = one.path().join("bootstrap");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let archive = zip(one.path()).unwrap();
    assert_eq!(
        (archive.bytes.len(), archive.sha256.as_str()),
        (36482, "4Ve833V72j0r0S2rH0xHj2C821qyn1iL8KfQv3hI5hw=")
    );
}

#[test]
fn links_are_followed_within_the_folder_and_nowhere_else() {
    let inside = folder(&[("lib/a", "x"), ("b", "y")]);
    symlink("lib", inside.path().join("other")).unwrap();
    symlink("../b", inside.path().join("lib/c")).unwrap();
    let found = entries(&zip(inside.path()).unwrap());
    let texts: Vec<_> = found.iter().map(|(name, (_, text))| (&**name, &**text)).collect();
    let expected = [("b", "y"), ("lib/a", "x"), ("lib/c", "y"), ("other/a", "x"), ("other/c", "y")];
    assert_eq!(texts, expected);

    for (target, expected) in [
        ("/etc/hostname", "out of the folder"),
        ("..", "out of the folder"),
        ("nowhere", "to nothing"),
        (".", "into a folder that it stands in"),
    ] {
        let folder = folder(&[("a", "x")]);
        symlink(target, folder.path().join("link")).unwrap();
        let refused = zip(folder.path()).unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains("/link"), "{target}: {refused}");
        fs::write(folder.path().join(IGNORE_FILE), "link\n.formationignore\n").unwrap();
        assert_eq!(names(folder.path()), ["a"], "{target}");
    }
    // A folder may itself be named by a link.
    let outside = tempfile::tempdir().unwrap();
    symlink(inside.path(), outside.path().join("app")).unwrap();
    assert_eq!(zip(&outside.path().join("app")).unwrap(), zip(inside.path()).unwrap());
}

#[test]
fn what_cannot_be_deployed_is_told_with_its_remedy() {
    let empty = folder(&[(".git/HEAD", "x")]);
    let pattern = folder(&[("a", "x"), (".formationignore", "[z-a]\n")]);
    let file = folder(&[("a", "x")]);
    let large = folder(&[("small", "x"), ("lib/large", "")]);
    let size = MOST_BYTES + 1;
    fs::File::options()
        .write(true)
        .open(large.path().join("lib/large"))
        .unwrap()
        .set_len(size)
        .unwrap();
    let special = folder(&[("a", "x")]);
    let socket = special.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    for (path, expected) in [
        (Path::new("/no/such/folder"), "there is no folder /no/such/folder"),
        (&file.path().join("a"), "is not a folder; an archive is named by `zip`"),
        (empty.path(), "has no file to deploy"),
        (pattern.path(), ".formationignore: "),
        (large.path(), "largest file is lib/large, and the largest folder is lib."),
        (special.path(), "socket is neither a file nor a folder"),
    ] {
        let refused = zip(path).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn what_names_what_is_left_out_is_a_file_of_the_folder() {
    let with_mark =
        folder(&[("a", "x"), ("secret", "x"), (".formationignore", "\u{feff}secret\n")]);
    assert_eq!(names(with_mark.path()), [".formationignore", "a"]);
    let inside = folder(&[("a", "x"), ("secret", "x"), ("patterns", "secret\n")]);
    symlink("patterns", inside.path().join(".formationignore")).unwrap();
    assert!(!names(inside.path()).contains(&"secret".to_owned()));

    let outside = folder(&[("a", "x")]);
    symlink("/dev/zero", outside.path().join(".formationignore")).unwrap();
    let endless = folder(&[("a", "x")]);
    let socket = endless.path().join(".formationignore");
    let _listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    let long = folder(&[("a", "x"), (".formationignore", &"x\n".repeat(600_000))]);
    for (path, expected) in [
        (outside.path(), "leads out of the folder"),
        (endless.path(), "must be a file of at most 1048576 bytes"),
        (long.path(), "must be a file of at most 1048576 bytes"),
    ] {
        let refused = zip(path).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn more_files_than_an_archive_holds_are_refused_while_they_are_counted() {
    let names: Vec<_> = (0..256).map(|number| format!("files/{number}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let many = folder(&files);
    for number in 1..256 {
        symlink("files", many.path().join(format!("link-{number}"))).unwrap();
    }
    let refused = zip(many.path()).unwrap_err().to_string();
    assert!(refused.contains("more than 65535 files"), "{refused}");
}

#[test]
fn links_that_multiply_what_is_there_end_soon() {
    let many = folder(&[("src/a", "x"), ("deps/18/a", "x")]);
    for level in 0..18 {
        let folder = many.path().join(format!("deps/{level}"));
        fs::create_dir_all(&folder).unwrap();
        for name in ["one", "other"] {
            symlink(format!("../{}", level + 1), folder.join(name)).unwrap();
        }
    }
    let refused = zip(many.path()).unwrap_err().to_string();
    assert!(refused.contains("100000 files and folders, links followed"), "{refused}");
    assert!(refused.contains("largest folder is deps"), "{refused}");

    // A file that is reached often counts as often.
    let large = folder(&[("a/large", ""), ("b/x", "x")]);
    let file = fs::File::options().write(true).open(large.path().join("a/large")).unwrap();
    file.set_len(MOST_BYTES / 3).unwrap();
    for name in ["1", "2", "3"] {
        symlink("../a", large.path().join("b").join(name)).unwrap();
    }
    let refused = zip(large.path()).unwrap_err().to_string();
    assert!(refused.contains("/large, and the largest folder is "), "{refused}");
}
