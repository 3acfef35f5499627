use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::entry::*;
use super::*;

/// What a header says of an entry.
#[derive(Clone, Copy)]
struct Claim {
    flags: u16,
    method: u16,
    crc32: u32,
    compressed_size: u32,
    size: u32,
}

/// An entry as anybody might write it.
#[derive(Clone)]
pub(crate) struct Written {
    local_name: Vec<u8>,
    name: Vec<u8>,
    local_extra: Vec<u8>,
    extra: Vec<u8>,
    local: Claim,
    central: Claim,
    mode: u32,
    data: Vec<u8>,
    /// Bytes between the data and the next entry.
    behind: Vec<u8>,
    /// Where the directory says that it begins, if not where it does.
    start: Option<u32>,
}

impl Written {
    fn new(name: &str, method: u16, content: &[u8], data: Vec<u8>) -> Self {
        let mut crc = Crc::new();
        crc.update(content);
        let claim = Claim {
            flags: 0,
            method,
            crc32: crc.sum(),
            compressed_size: data.len().try_into().unwrap(),
            size: content.len().try_into().unwrap(),
        };
        let name = name.as_bytes().to_vec();
        Self {
            local_name: name.clone(),
            name,
            local_extra: Vec::new(),
            extra: Vec::new(),
            local: claim,
            central: claim,
            mode: 0o644,
            data,
            behind: Vec::new(),
            start: None,
        }
    }

    pub(crate) fn stored(name: &str, content: &[u8]) -> Self {
        Self::new(name, STORED, content, content.to_vec())
    }

    fn deflated(name: &str, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        Self::new(name, DEFLATED, content, encoder.finish().unwrap())
    }

    /// As a writer that cannot seek puts it: sizes and checksum behind the data.
    fn streamed(mut self) -> Self {
        let Claim { crc32, compressed_size, size, .. } = self.central;
        self.behind = b"PK\x07\x08".to_vec();
        for number in [crc32, compressed_size, size] {
            self.behind.extend(number.to_le_bytes());
        }
        self.central.flags |= STREAMED;
        self.local = Claim { crc32: 0, compressed_size: 0, size: 0, ..self.central };
        self
    }

    pub(crate) fn with_mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// With an extra field in both headers.
    fn with_extra(mut self, kind: u16, content: &[u8]) -> Self {
        self.local_extra.extend(extra(kind, content));
        self.extra.extend(extra(kind, content));
        self
    }

    /// With the same claim in both headers.
    fn claiming(mut self, change: impl Fn(&mut Claim)) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }
}

fn claim(bytes: &mut Vec<u8>, claim: &Claim) {
    bytes.extend(claim.flags.to_le_bytes());
    bytes.extend(claim.method.to_le_bytes());
    bytes.extend([0, 0, 0x21, 0]);
    for number in [claim.crc32, claim.compressed_size, claim.size] {
        bytes.extend(number.to_le_bytes());
    }
}

pub(crate) fn zip(entries: &[Written]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let start = u32::try_from(bytes.len()).unwrap();
        bytes.extend(b"PK\x03\x04\x14\0");
        claim(&mut bytes, &entry.local);
        bytes.extend(u16::try_from(entry.local_name.len()).unwrap().to_le_bytes());
        bytes.extend(u16::try_from(entry.local_extra.len()).unwrap().to_le_bytes());
        bytes.extend(&entry.local_name);
        bytes.extend(&entry.local_extra);
        bytes.extend(&entry.data);
        bytes.extend(&entry.behind);

        directory.extend(b"PK\x01\x02\x14\x03\x14\0");
        claim(&mut directory, &entry.central);
        directory.extend(u16::try_from(entry.name.len()).unwrap().to_le_bytes());
        directory.extend(u16::try_from(entry.extra.len()).unwrap().to_le_bytes());
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(entry.start.unwrap_or(start).to_le_bytes());
        directory.extend(&entry.name);
        directory.extend(&entry.extra);
    }
    let start = u32::try_from(bytes.len()).unwrap();
    let length = u32::try_from(directory.len()).unwrap();
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend(length.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// With the sizes of the local header in its 64-bit extension.
fn extended(mut entry: Written, sizes: &[u64]) -> Written {
    let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
    entry.local_extra.extend(extra(SIZES_64, &sizes));
    entry.local.size = ELSEWHERE;
    entry.local.compressed_size = ELSEWHERE;
    entry
}

/// With what the archive's end tells of its directory in zip's 64-bit extension.
fn with_extended_end(mut bytes: Vec<u8>, entries: u64) -> Vec<u8> {
    let mut record = bytes.split_off(bytes.len() - 22);
    let [length, start] = [12, 16].map(|at| u64::from(u32_at(&record, at).unwrap()));
    let at = bytes.len() as u64;
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [entries, entries, length, start] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(at.to_le_bytes());
    bytes.extend([1, 0, 0, 0]);
    record[8..20].fill(0xff);
    bytes.extend(record);
    bytes
}

fn extra(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), content].concat()
}

/// What the extra field for names in UTF-8 holds beside the header's name `name`.
fn unicode(name: &str) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(name.as_bytes());
    [&[1][..], &crc.sum().to_le_bytes(), name.as_bytes()].concat()
}

fn good() -> Written {
    Written::deflated("index.mjs", b"export const handler = () => 1;")
}

#[track_caller]
fn flaw(entries: &[Written]) -> Flaw {
    match judge(&zip(entries)) {
        Err(ArchiveError::Entry { flaw, .. }) => flaw,
        other => panic!("{other:?}"),
    }
}

#[test]
fn archives_of_every_honest_writer_are_accepted() {
    for entries in [
        vec![good()],
        vec![good().streamed()],
        vec![Written::stored("a", b""), Written::stored("b", b"x").streamed(), good()],
        vec![Written::stored("lib/", b""), Written::deflated("lib/a.js", b"x")],
        vec![good(), Written::stored("link", b"index.mjs").with_mode(0o120_777)],
        vec![Written::stored("./grüße.mjs", b"x").claiming(|it| it.flags |= 1 << 11)],
        vec![Written::stored("./", b""), Written::stored("./a", b"x")],
        // Folders as Java writes them, and as their mode marks them.
        vec![good(), Written::deflated("lib/", b"").streamed()],
        vec![good(), Written::stored("lib", b"").with_mode(0o040_755)],
        vec![Written::stored("grüße", b"x").with_extra(UNICODE_PATH, &unicode("grüße"))],
        // Padding, as Android's tools write it.
        vec![good().with(|it| it.local_extra = vec![0; 3])],
        vec![extended(good(), &[0, 0]).with(|it| {
            it.central.flags |= STREAMED;
            it.local.flags |= STREAMED;
            it.local.crc32 = 0;
        })],
    ] {
        judge(&zip(&entries)).unwrap();
    }
    // Something before the first entry, as in archives that start themselves, and a comment.
    let mut bytes = b"#!/bin/sh\n".to_vec();
    bytes.extend(zip(&[good()]));
    let comment = bytes.len() - 2;
    bytes[comment] = 4;
    bytes.extend(b"made");
    judge(&bytes).unwrap();
    // Sizes in zip's 64-bit extension, and what is told of the directory.
    judge(&zip(&[extended(good(), &[31, good().data.len() as u64])])).unwrap();
    judge(&with_extended_end(zip(&[good()]), 1)).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    writer.start_file("index.py", options.large_file(true)).unwrap();
    writer.write_all(b"x").unwrap();
    judge(writer.finish().unwrap().get_ref()).unwrap();
}

#[test]
fn what_is_no_archive_or_an_empty_one_is_refused() {
    for bytes in [&b""[..], b"not a zip", b"PK\x03\x04", b"PK\x05\x06"] {
        assert!(matches!(judge(bytes), Err(ArchiveError::NotAZip(_))), "{bytes:?}");
    }
    assert!(matches!(judge(&zip(&[])), Err(ArchiveError::Empty)));
    let folder = Written::stored("lib/", b"");
    assert!(matches!(judge(&zip(&[folder])), Err(ArchiveError::Empty)));
    for names in [&["./"][..], &["."], &["./", "."], &["./."], &[".//", "a/."]] {
        let folders: Vec<_> = names.iter().map(|name| Written::stored(name, b"")).collect();
        assert!(matches!(judge(&zip(&folders)), Err(ArchiveError::Empty)), "{names:?}");
    }
}

#[test]
fn an_archive_that_was_cut_or_changed_anywhere_is_refused_or_unchanged_in_content() {
    let whole = zip(&[good(), Written::stored("data", &[7; 100])]);
    for length in 0..whole.len() {
        assert!(judge(&whole[..length]).is_err(), "cut at {length}");
    }
    // In the data of the second entry, in the first's name, and in a method.
    let data = whole.windows(3).position(|it| it == [7, 7, 7]).unwrap();
    for at in [data, 30, 8] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(judge(&changed).is_err(), "changed at {at}");
    }
}

#[test]
fn methods_that_lambda_cannot_unzip_are_named() {
    for (method, name) in
        [(12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (9, "Deflate64"), (77, "method 77")]
    {
        let entry = good().claiming(|it| it.method = method);
        let error = judge(&zip(&[entry])).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("index.mjs"), "{error}");
    }
}

#[test]
fn encrypted_entries_are_refused_whichever_header_says_so() {
    for bit in [1, 1 << 6, 1 << 13] {
        assert_eq!(flaw(&[good().claiming(|it| it.flags |= bit)]), Flaw::Encrypted);
    }
    assert_eq!(flaw(&[good().with(|it| it.local.flags |= 1)]), Flaw::Encrypted);
    assert_eq!(flaw(&[good().with(|it| it.central.flags |= 1)]), Flaw::Encrypted);
}

#[test]
fn headers_that_contradict_the_directory_are_refused() {
    let changes: [fn(&mut Written); 8] = [
        |it| it.local.method = STORED,
        |it| it.local.crc32 ^= 1,
        |it| it.local.size += 1,
        |it| it.local.compressed_size -= 1,
        |it| it.local.size = 0,
        |it| it.local_name = b"other.mjs".to_vec(),
        |it| it.start = Some(1),
        |it| it.start = Some(u32::MAX - 1),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_eq!(flaw(&[good().with(change)]), Flaw::Contradicted, "change {index}");
    }
    let streamed = good().streamed().with(|it| it.local.size = 1);
    assert_eq!(flaw(&[streamed]), Flaw::Contradicted);
}

#[test]
fn sizes_and_checksums_that_lie_are_refused() {
    let changes: [fn(&mut Claim); 3] = [|it| it.crc32 ^= 1, |it| it.size += 1, |it| it.size -= 1];
    for change in changes {
        assert_eq!(flaw(&[good().claiming(change)]), Flaw::Damaged);
        assert_eq!(flaw(&[Written::stored("a", b"xy").claiming(change)]), Flaw::Damaged);
        let streamed = good().streamed().with(|it| change(&mut it.central));
        assert_eq!(flaw(&[streamed]), Flaw::Damaged);
    }
    // Data beyond the end of the deflated stream, and a stream without an end.
    let longer = good().claiming(|it| it.compressed_size += 1);
    assert_eq!(flaw(&[longer.with(|it| it.data.push(0))]), Flaw::Damaged);
    let shorter = good().claiming(|it| it.compressed_size -= 1);
    assert_eq!(flaw(&[shorter.with(|it| it.data.truncate(it.data.len() - 1))]), Flaw::Damaged);
    let garbage = good().with(|it| it.data.fill(0xff));
    assert_eq!(flaw(&[garbage]), Flaw::Damaged);
}

#[test]
fn entries_that_overlap_are_refused() {
    // The same bytes under two names: each header is right.
    let inner = zip(&[Written::stored("b", b"x")]);
    let outer = Written::stored("a", &inner);
    let second = Written { start: Some(31), data: Vec::new(), ..Written::stored("b", b"x") };
    // Its own header is behind the first's data, where nobody looks.
    assert_eq!(flaw(&[outer, second]), Flaw::Overlapping);
    // Data that reaches into the directory, and past the end.
    for length in [40, 1 << 20] {
        let longer = Written::stored("a", b"x").claiming(|it| it.compressed_size = length);
        assert_eq!(flaw(&[longer]), Flaw::Overlapping);
    }
}

#[test]
fn names_that_lead_out_of_the_archive_are_refused() {
    for name in ["../x", "/etc/passwd", "a/../../x", "a/..", "..\\x", "\\x", "a\0.js", ""] {
        assert_eq!(flaw(&[good(), Written::stored(name, b"x")]), Flaw::BadName, "{name:?}");
    }
    judge(&zip(&[Written::stored("a..b/...", b"x")])).unwrap();
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let twice = zip(&[Written::stored("a", b"x"), Written::stored("a", b"y")]);
    assert!(matches!(judge(&twice), Err(ArchiveError::DuplicateName)));
    for (one, other) in [
        ("a", "./a"),
        ("a/b", "a//b"),
        ("a/b", "a/./b"),
        ("a/././/b", ".//a/b"),
        ("index.mjs", ".//index.mjs"),
    ] {
        let twice = zip(&[Written::stored(one, b"x"), Written::stored(other, b"y")]);
        assert!(matches!(judge(&twice), Err(ArchiveError::DuplicateName)), "{one} {other}");
    }
    let alike = ["a.b", "a/b", "a/b.", "a/.b", "...", "a/..."];
    let contents = judge(&zip(&alike.map(|name| Written::stored(name, b"x")))).unwrap();
    assert!(contents.files.iter().eq(["...", "a.b", "a/...", "a/.b", "a/b", "a/b."]));
}

#[test]
fn a_file_that_is_a_folder_of_another_entry_is_refused() {
    for (file, other) in
        [("a", "a/b.js"), ("a", "a/"), ("a", "./a/."), ("a/b", "a//b/c/d"), ("./a", "a/b/")]
    {
        // What sorts between them does not hide it.
        let mut entries = [file, "a-b", "a.b", other]
            .map(|name| Written::stored(name, if name.ends_with(['/', '.']) { b"" } else { b"x" }));
        assert_eq!(flaw(&entries), Flaw::FileAndFolder, "{file} {other}");
        entries.reverse();
        assert_eq!(flaw(&entries), Flaw::FileAndFolder, "{other} {file}");
    }
    let link = Written::stored("a", b"/tmp").with_mode(0o120_777);
    assert_eq!(flaw(&[link, Written::stored("a/b.js", b"x")]), Flaw::FileAndFolder);
    judge(&zip(&["a", "a-/b", "ab/a"].map(|name| Written::stored(name, b"x")))).unwrap();
}

#[test]
fn a_folder_that_holds_data_is_refused() {
    for folder in ["a/", "a/.", ".", "./"] {
        assert_eq!(flaw(&[good(), Written::stored(folder, b"x")]), Flaw::FolderWithData);
        assert_eq!(flaw(&[good(), Written::deflated(folder, b"x")]), Flaw::FolderWithData);
    }
    let marked = Written::stored("a", b"x").with_mode(0o040_755);
    assert_eq!(flaw(&[good(), marked]), Flaw::FolderWithData);
    // However little of it is declared.
    let hidden = Written::deflated("a/", b"x").claiming(|it| it.size = 0);
    assert_eq!(flaw(&[good(), hidden]), Flaw::Damaged);
}

#[test]
fn names_that_linux_has_no_room_for_are_refused() {
    let step = "ä".repeat(127) + "x";
    judge(&zip(&[Written::stored(&format!("{step}/{step}"), b"x")])).unwrap();
    for name in [format!("{step}x"), format!("a/{step}x/b"), format!("{step}x/")] {
        assert_eq!(flaw(&[good(), Written::stored(&name, b"")]), Flaw::LongName);
    }
    let path = format!("{step}/").repeat(16);
    let path = &path[path.len() - MAX_PATH_BYTES + 1..];
    judge(&zip(&[Written::stored(&format!("{path}x"), b"x")])).unwrap();
    let error = judge(&zip(&[Written::stored(&format!("{path}xy"), b"x")])).unwrap_err();
    assert!(matches!(error, ArchiveError::Entry { flaw: Flaw::LongPath, .. }));
    assert!(error.to_string().contains("more than 4085 bytes"), "{error}");
}

#[test]
fn what_is_marked_as_neither_file_nor_folder_nor_link_is_refused() {
    // Pipe, character device, block device, socket, and what has no meaning.
    for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000, 0o170_000] {
        assert_eq!(flaw(&[good().with_mode(kind | 0o644)]), Flaw::Irregular, "{kind:o}");
    }
    for kind in [0, FILE, LINK] {
        judge(&zip(&[good().with_mode(kind | 0o644)])).unwrap();
    }
}

#[test]
fn a_directory_whose_end_tells_of_another_one_is_refused() {
    let whole = zip(&[good(), Written::stored("a", b"x"), Written::stored("b", b"x")]);
    let end = whole.len() - 22;
    let changed = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[end + at..][..bytes.len()].copy_from_slice(bytes);
        changed
    };
    let length = u32_at(&whole, end + 12).unwrap();
    // The last entry behind a record of its own that ends the directory before it.
    let mut hidden = changed(8, &[2, 0, 2, 0]);
    let last = whole.windows(4).rposition(|it| it == CENTRAL_HEADER.signature).unwrap();
    hidden.splice(last..last, hidden[end..].to_vec());
    let mut signed = whole.clone();
    signed.splice(end..end, *b"PK\x05\x05\0\0");
    for (index, bytes) in [
        changed(8, &[2, 0, 2, 0]),
        changed(8, &[1, 0, 1, 0]),
        changed(12, &(length - 1).to_le_bytes()),
        changed(12, &(length + 1).to_le_bytes()),
        changed(12, &ELSEWHERE.to_le_bytes()),
        hidden,
        signed,
        with_extended_end(whole.clone(), 2),
    ]
    .iter()
    .enumerate()
    {
        let error = judge(bytes).unwrap_err();
        assert!(matches!(error, ArchiveError::MistoldDirectory), "{index}: {error}");
    }
    judge(&with_extended_end(whole.clone(), 3)).unwrap();
    // A second record, in the comment, which a reader may take for the first.
    let mut commented = whole.clone();
    commented[end + 20] = 22;
    commented.extend(&changed(8, &[2, 0, 2, 0])[end..]);
    assert!(judge(&commented).is_err());
}

#[test]
fn sizes_in_an_extra_field_that_lie_are_refused() {
    let length = good().data.len() as u64;
    for sizes in [
        &[32, length][..],
        &[31, length + 1],
        &[length, 31],
        &[0, 0],
        &[u64::MAX, u64::MAX],
        &[31],
        &[],
    ] {
        assert_eq!(flaw(&[extended(good(), sizes)]), Flaw::Contradicted, "{sizes:?}");
    }
    let nowhere = good().with(|it| it.local.size = ELSEWHERE);
    assert_eq!(flaw(&[nowhere]), Flaw::Contradicted);
    // Two such fields: which one counts?
    let twice = extended(extended(good(), &[31, length]), &[32, length]);
    assert_eq!(flaw(&[twice]), Flaw::Contradicted);
    let sizes = [31_u64.to_le_bytes(), length.to_le_bytes()].concat();
    let twice = good().with(|it| {
        it.central.size = ELSEWHERE;
        it.extra = [extra(SIZES_64, &sizes), extra(SIZES_64, &sizes)].concat();
    });
    assert_eq!(flaw(&[twice]), Flaw::Contradicted);
}

#[test]
fn an_extra_field_with_another_name_is_refused_in_either_header() {
    let other = |name: &str| {
        let mut field = unicode("index.mjs");
        field.truncate(5);
        extra(UNICODE_PATH, &[&field, name.as_bytes()].concat())
    };
    for name in ["other.mjs", "../index.mjs", "index.mj", ""] {
        let local = good().with(|it| it.local_extra = other(name));
        assert_eq!(flaw(&[local]), Flaw::SecondName, "{name}");
        let central = good().with(|it| it.extra = other(name));
        assert_eq!(flaw(&[central]), Flaw::SecondName, "{name}");
        // Not everybody looks at the checksum.
        let unsure = good().with_extra(UNICODE_PATH, &[&[1, 0, 0, 0, 0], name.as_bytes()].concat());
        assert_eq!(flaw(&[unsure]), Flaw::SecondName, "{name}");
    }
    let behind_another = good().with(|it| {
        it.local_extra = [extra(0x5455, &[1, 0, 0, 0, 0]), other("other.mjs")].concat();
    });
    assert_eq!(flaw(&[behind_another]), Flaw::SecondName);
    judge(&zip(&[good().with_extra(UNICODE_PATH, &unicode("index.mjs"))])).unwrap();
}

#[test]
fn an_archive_of_too_many_entries_is_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for index in 0..=MAX_ENTRIES {
        writer.start_file(index.to_string(), options).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    assert!(matches!(judge(&bytes), Err(ArchiveError::TooManyEntries(65_536))));
}

#[test]
fn what_unzips_to_more_than_250_mb_is_refused_however_it_is_written_down() {
    let content = vec![0; usize::try_from(MAX_UNZIPPED_BYTES / 2).unwrap()];
    let entry = Written::deflated("x", &content);
    drop(content);
    let named =
        |name: &str| Written { name: name.into(), local_name: name.into(), ..entry.clone() };
    judge(&zip(&[named("a"), named("b")])).unwrap();
    let one_more = Written::stored("c", b"x");
    for entries in [
        vec![named("a"), named("b"), one_more.clone()],
        vec![named("a"), named("b").streamed(), one_more.streamed()],
        vec![named("a"), named("b"), named("c").claiming(|it| it.size = 1)],
    ] {
        assert!(matches!(judge(&zip(&entries)), Err(ArchiveError::TooLargeUnzipped)));
    }
}

#[test]
fn long_names_are_cut_where_they_are_told() {
    let name = format!("../{}", "ä".repeat(500));
    let error = judge(&zip(&[Written::stored(&name, b"")])).unwrap_err().to_string();
    assert!(error.len() < 400, "{error}");
}
