use super::*;

fn blobs() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&folder.path().join("deep/blobs")).unwrap();
    (folder, blobs)
}

/// Every file under the folder, drafts too.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn content_comes_back_by_its_digest_and_is_kept_once() {
    let (folder, blobs) = blobs();
    for content in [&b""[..], b"orbit", "μ-metal ✓".as_bytes(), &[0; 300_000]] {
        let digest = blobs.put(content).unwrap();
        assert_eq!(digest, Digest::of(content));
        assert_eq!(blobs.put(content).unwrap(), digest);
        assert_eq!(blobs.get(&digest).unwrap(), content);
        assert!(blobs.contains(&digest));
        let hex = digest.hex();
        assert!(
            blobs
                .path(&digest)
                .ends_with(format!("blobs/{}/{}", &hex[..2], &hex[2..]))
        );
    }
    assert_eq!(files(folder.path()).len(), 4);
}

#[test]
fn a_file_is_copied_under_the_digest_of_its_content() {
    let (folder, blobs) = blobs();
    let content: Vec<u8> = (0..=250).cycle().take(COPY_BYTES * 2 + 17).collect();
    let path = folder.path().join("figure.png");
    fs::write(&path, &content).unwrap();
    let digest = blobs.put_file(&path).unwrap();
    assert_eq!(digest, blobs.put(&content).unwrap());
    fs::write(&path, b"changed later").unwrap();
    assert_eq!(blobs.get(&digest).unwrap(), content);
    let missing = blobs.put_file(&folder.path().join("nothing")).unwrap_err();
    assert_eq!(missing.code(), code::STORE_IO);
    assert_eq!(files(folder.path()).len(), 2, "no draft is left behind");
}

#[test]
fn a_damaged_or_missing_file_is_an_error_that_names_it() {
    let (_folder, blobs) = blobs();
    let digest = blobs.put(b"the approved code").unwrap();
    for damage in [&b"the approved c0de"[..], b"the approved", b""] {
        fs::write(blobs.path(&digest), damage).unwrap();
        let error = blobs.get(&digest).unwrap_err();
        assert!(matches!(error, Error::Damaged { found, .. } if found == Digest::of(damage)));
        assert!(error.to_string().contains(&digest.to_string()));
    }
    assert_eq!(blobs.put(b"the approved code").unwrap(), digest);
    assert_eq!(
        blobs.get(&digest).unwrap(),
        b"the approved code",
        "put repairs"
    );
    fs::remove_file(blobs.path(&digest)).unwrap();
    assert!(matches!(blobs.get(&digest), Err(Error::Missing(named)) if named == digest));
    assert!(!blobs.contains(&digest));
}

#[test]
fn a_file_over_the_bound_is_refused_before_it_is_read() {
    let (_folder, blobs) = blobs();
    let digest = Digest::of(b"huge");
    let path = blobs.path(&digest);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(&path)
        .unwrap()
        .set_len(READ_BYTES_MAX + 1)
        .unwrap();
    assert!(matches!(blobs.get(&digest), Err(Error::TooLarge { .. })));
}

#[test]
fn many_threads_may_put_the_same_content() {
    let (folder, blobs) = blobs();
    let content = vec![7u8; 50_000];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let digest = blobs.put(&content).unwrap();
                    assert_eq!(blobs.get(&digest).unwrap(), content);
                }
            });
        }
    });
    assert_eq!(files(folder.path()).len(), 1);
}
