//! `doctor` looks: it makes nothing, and takes nothing for what it is not.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli_rig::{Place, mode, text};

fn said(doctor: &Value, name: &str) -> Vec<(String, String)> {
    let checks = doctor["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["name"] == name)
        .map(|check| {
            let [status, message] = ["status", "message"].map(|key| text(&check[key]).to_owned());
            (status, message)
        })
        .collect()
}

fn folders(above: &Path) -> Vec<PathBuf> {
    let mut found = vec![above.to_owned()];
    let mut next = 0;
    while let Some(folder) = found.get(next) {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let below = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        let below: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
        found.extend(below);
        next += 1;
    }
    found
}

#[test]
fn looking_makes_no_data_folder() {
    let place = Place::new();
    let temporary = place.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut command = place.command(&["doctor", "--json"]);
    let ran = command.env("TMPDIR", &temporary).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let doctor: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(said(&doctor, "python")[0].0, "ok", "{doctor:#}");
    assert_eq!(said(&doctor, "store")[0].1, "none yet");
    assert!(!place.path("data").exists());
    assert_eq!(folders(&temporary), [temporary]);
}

#[test]
fn every_folder_below_the_data_folder_is_its_owners_alone() {
    let place = Place::new();
    place.python("one", "", "results = {'n': 1}");
    place.json(0, &["run", "one.yml"]);
    let doctor = place.json(0, &["doctor"]);
    assert!(place.path("data/envs/packages").is_dir());
    let environments = said(&doctor, "environments");
    assert_eq!(environments, [("ok".to_owned(), "0 ready".to_owned())]);
    let open: Vec<PathBuf> = folders(&place.path("data"))
        .into_iter()
        // The interpreter makes the one, and the database the other, in its own folder.
        .filter(|folder| !folder.ends_with("__pycache__") && !folder.ends_with("store/blobs"))
        .filter(|folder| mode(folder) != 0o700)
        .collect();
    assert_eq!(open, Vec::<PathBuf>::new());
}
