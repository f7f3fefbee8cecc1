//! Files of the repository, or parts of them, that tests write when `UPDATE` is set (`make generate`) and else hold
//! against the code.

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A file of the repository, by its path from the root.
pub fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

/// What stands in a file of the repository.
pub fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Writes a file when `UPDATE` is set; else asserts that this stands in it.
pub fn hold_file(file: &str, expected: &str) {
    let _turn = turn();
    if std::env::var_os("UPDATE").is_some() {
        write(file, expected);
    } else {
        assert!(read(file) == expected, "{file} is out of date: run `make generate`");
    }
}

/// Replaces what lies between `<!-- name: begin -->` and `<!-- name: end -->` when `UPDATE` is set; else asserts it.
pub fn hold(file: &str, name: &str, expected: &str) {
    let _turn = turn();
    let text = read(file);
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (head, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{file} has no {begin}"));
    let (current, tail) = rest.split_once(&end).unwrap_or_else(|| panic!("{file} has no {end}"));
    if std::env::var_os("UPDATE").is_some() {
        write(file, &format!("{head}{begin}{expected}{end}{tail}"));
    } else {
        assert_eq!(current, expected, "{file}, block {name}: run `make generate`");
    }
}

/// Another block of the same file may be written by another test.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever reads the file meanwhile finds it whole.
fn write(file: &str, text: &str) {
    let path = path(file);
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap_or_else(|error| panic!("{file}: {error}"));
    fs::rename(&new, &path).unwrap_or_else(|error| panic!("{file}: {error}"));
}
